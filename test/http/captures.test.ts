/**
 * The recorded requests (support/replay.ts), one after the other on a scheduler that was empty before: each
 * is answered with a whole reply. captures-answered.test.ts makes a state first in which each can succeed.
 */
import { ResponseCode, type Response } from '#thrift/aurora_types';
import { Thrift } from 'thrift';
import type { TestApp } from '../support/app';
import { startTestApp } from '../support/app';
import { captures } from '../wire/shared';
import { RESULT_OF, decode, replay } from './support/replay';

const BINARY = 'application/vnd.apache.thrift.binary';
const JSON_TYPE = 'application/vnd.apache.thrift.json';
const CODES = new Set(Object.values(ResponseCode).filter((code) => typeof code === 'number'));

/** OK with a message happens for these alone (wire.md §2.2). */
const MAY_EXPLAIN_OK = ['killTasks', 'descheduleCronJob', 'startJobUpdate', 'getJobUpdateDetails'];

/** They fit whatever the store holds when their turn comes. */
const MUST_BE_OK = ['getPendingReason', 'getQuota', 'setQuota'];

const requests = captures('replay of recorded requests against the whole app');
const files = [...new Set(requests.map(({ file }) => file))];

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
