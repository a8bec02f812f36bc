/**
 * Requests recorded from real clients, replayed byte for byte: the same header lines in the same order,
 * duplicates included, and the same body. The replies are read by the Thrift library and the generated stubs,
 * not by code of ours.
 */
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import * as AuroraAdmin from '#thrift/AuroraAdmin';
import type { Response } from '#thrift/aurora_types';
import { TBinaryProtocol, TBufferedTransport, TJSONProtocol, type TProtocol } from 'thrift';
import type { Capture } from '../../wire/shared';

/** Member of the union Result that a client reads after an OK (wire.md §2.3). */
export const RESULT_OF: Readonly<Record<string, string>> = {
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
export interface HttpReply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** Writes the request as it was recorded and reads one reply. */
export function replay(port: number, { headers, body }: Capture): Promise<HttpReply> {
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

export interface Message {
  readonly name: string;
  readonly type: number;
  readonly seqid: number;
  readonly response: Response;
}

type Receive = (input: TProtocol, type: number, seqid: number) => void;

/** @throws Error when the reply is none of a method of ours, or cut off */
export function decode(body: Buffer, binary: boolean): Message {
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
