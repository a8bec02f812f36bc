/**
 * Requests recorded from the real Python clients and gorealis, replayed byte for byte: the same header
 * lines in the same order, duplicates included, and the same body. The replies are read by the Thrift
 * library and the generated stubs, not by code of ours.
 */
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import * as AuroraAdmin from '#thrift/AuroraAdmin';
import { ResponseCode, type Response } from '#thrift/aurora_types';
import { TBinaryProtocol, TBufferedTransport, TJSONProtocol, Thrift, type TProtocol } from 'thrift';
import type { TestApp } from '../support/app';
import { startTestApp } from '../support/app';
import { captures, type Capture } from '../wire/shared';

const BINARY = 'application/vnd.apache.thrift.binary';
const JSON_TYPE = 'application/vnd.apache.thrift.json';
const CODES = new Set(Object.values(ResponseCode).filter((code) => typeof code === 'number'));

/** Member of the union Result that a client reads after an OK (wire.md §2.3). */
const RESULT_OF: Readonly<Record<string, string>> = {
  getTasksStatus: 'scheduleStatusResult',
  getTasksWithoutConfigs: 'scheduleStatusResult',
  getJobUpdateSummaries: 'getJobUpdateSummariesResult',
  getJobUpdateDetails: 'getJobUpdateDetailsResult',
  getJobUpdateDiff: 'getJobUpdateDiffResult',
  getJobSummary: 'jobSummaryResult',
  getPendingReason: 'getPendingReasonResult',
  getJobs: 'getJobsResult',
  getQuota: 'getQuotaResult',
  getTierConfigs: 'getTierConfigResult',
  populateJobConfig: 'populateJobResult',
  startJobUpdate: 'startJobUpdateResult',
  pulseJobUpdate: 'pulseJobUpdateResult',
  listBackups: 'listBackupsResult',
  startMaintenance: 'startMaintenanceResult',
  drainHosts: 'drainHostsResult',
  slaDrainHosts: 'drainHostsResult',
  queryRecovery: 'queryRecoveryResult',
  maintenanceStatus: 'maintenanceStatusResult',
  endMaintenance: 'endMaintenanceResult',
};
/** OK with a message happens for these alone (wire.md §2.2). */
const MAY_EXPLAIN_OK = ['killTasks', 'descheduleCronJob', 'startJobUpdate', 'getJobUpdateDetails'];

/** They fit whatever the store holds when their turn comes. */
const MUST_BE_OK = ['getPendingReason', 'getQuota', 'setQuota'];

const requests = captures('replay of recorded requests against the whole app');
const files = [...new Set(requests.map(({ file }) => file))];

interface HttpReply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** Writes the request as it was recorded and reads one reply. */
function replay(port: number, { headers, body }: Capture): Promise<HttpReply> {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`POST /api HTTP/1.1\r\n${lines}\r\n`, 'latin1');
      socket.write(body);
    });
    socket.on('data', (piece: Buffer) => {
      received = Buffer.concat([received, piece]);
      const reply = parseReply(received);
      if (reply === undefined) return;
      socket.destroy();
      resolve(reply);
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`no whole reply came: ${received.toString()}`)));
  });
}

function parseReply(received: Buffer): HttpReply | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = received.subarray(0, end).toString('latin1').split('\r\n');
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const body = received.subarray(end + 4);
  if (body.length < Number(headers.get('content-length'))) return undefined;
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]),
    headers,
    body: headers.get('content-encoding') === 'gzip' ? gunzipSync(body) : body,
  };
}

interface Message {
  readonly name: string;
  readonly type: number;
  readonly seqid: number;
  readonly response: Response;
}

type Receive = (input: TProtocol, type: number, seqid: number) => void;

function decode(body: Buffer, binary: boolean): Message {
  let message: Message | undefined;
  TBufferedTransport.receiver((transport: TBufferedTransport) => {
    const input = binary ? new TBinaryProtocol(transport) : new TJSONProtocol(transport);
    const { fname: name, mtype: type, rseqid: seqid } = input.readMessageBegin();
    const client = new AuroraAdmin.Client(undefined as never, undefined as never) as unknown as {
      _reqs: Record<number, (error: unknown, response: Response) => void>;
    } & Record<`recv_${string}`, Receive>;
    client._reqs[seqid] = (error, response) => {
      if (error) throw error;
      message = { name, type, seqid, response };
    };
    client[`recv_${name}`]?.(input, type, seqid);
  }, 0)(body);
  if (message === undefined) throw new Error('the reply holds no whole message');
  return message;
}

(files.length === 0 ? describe.skip : describe)('replayed captures', () => {
  let app: TestApp;
  const answered = new Map<string, Set<string>>();

  beforeAll(async () => {
    app = await startTestApp();
  });

  afterAll(async () => {
    const codes = [...answered].sort().map(([rpc, seen]) => `${rpc} ${[...seen].join('|')}`);
    process.stderr.write(`${requests.length} requests replayed; answers: ${codes.join(', ')}\n`);
    await app.stop();
  });

  test.each(files)('%s', async (file) => {
    for (const request of requests.filter((one) => one.file === file)) {
      const reply = await replay(app.port, request);
      const what = `${file} line ${request.n}: ${request.rpc}`;
      expect([what, reply.status]).toEqual([what, 200]);
      const binary = request.protocol === 'TBinary-strict';
      expect(reply.headers.get('content-type')).toBe(binary ? BINARY : JSON_TYPE);
      if (!binary) expect(() => JSON.parse(reply.body.toString()) as unknown).not.toThrow();

      const { name, type, seqid, response } = decode(reply.body, binary);
      expect([what, name, seqid]).toEqual([what, request.rpc, request.seqid]);
      expect([what, type]).toEqual([what, Thrift.MessageType.REPLY]);
      checkResponse(what, request.rpc, response);
      const code = ResponseCode[response.responseCode] as string;
      answered.set(name, (answered.get(name) ?? new Set()).add(code));
    }
  });
});

function checkResponse(what: string, rpc: string, response: Response): void {
  const { responseCode, serverInfo, details, result } = response;
  expect([what, CODES.has(responseCode)]).toEqual([what, true]);
  // gorealis fails on it (wire.md §2.2).
  expect([what, responseCode]).not.toEqual([what, ResponseCode.WARNING]);
  expect([what, serverInfo.clusterName, serverInfo.statsUrlPrefix]).toEqual([
    what,
    'devcluster',
    '',
  ]);
  expect([what, Array.isArray(details)]).toEqual([what, true]);
  const isOk = responseCode === ResponseCode.OK;
  if (MUST_BE_OK.includes(rpc)) expect([what, responseCode]).toEqual([what, ResponseCode.OK]);
  if (!isOk)
    expect([what, details.map(({ message }) => typeof message)]).toEqual([what, ['string']]);
  else if (!MAY_EXPLAIN_OK.includes(rpc)) expect([what, details]).toEqual([what, []]);
  const isNoop = isOk && rpc === 'startJobUpdate' && details.length > 0;
  const member = RESULT_OF[rpc];
  if (!isOk || isNoop) return;
  const set = Object.entries(result ?? {}).flatMap(([key, value]) => (value == null ? [] : [key]));
  expect([what, set]).toEqual([what, member === undefined ? [] : [member]]);
}
