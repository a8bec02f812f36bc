/** Every request that real clients were seen to send is understood, headers and all. */
import { connect } from 'node:net';
import { ok } from '../../src/rpc/outcome.js';
import { auroraSchema } from '../../src/wire/idl.js';
import { methodsOf } from '../../src/wire/schema.js';
import { BinaryReader } from '../../src/wire/tbinary.js';
import { JsonReader } from '../../src/wire/tjson.js';
import { captures, type Capture } from './shared.js';
import { BINARY, JSON_TYPE, recorder, serve, serviceOf, type Call } from './support.js';

const all = captures('the captured requests of real clients');
const withCaptures = all.length === 0 ? test.skip : test;

/** The request's own header lines, in their order and repeated where they were. */
function sendAsCaptured(port: number, { headers, body }: Capture): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(Buffer.concat([Buffer.from(`POST /api HTTP/1.1\r\n${lines}\r\n`), body]));
    });
    let got = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('data', (data: Buffer) => {
      got = Buffer.concat([got, data]);
      const head = got.indexOf('\r\n\r\n');
      const length = /content-length: (\d+)/i.exec(got.toString('latin1'))?.[1];
      if (head < 0 || length === undefined || got.length < head + 4 + Number(length)) return;
      socket.destroy();
      resolve(got);
    });
  });
}

withCaptures('each is answered with its name and seqid, in the encoding it accepts', async () => {
  const { calls, methods } = recorder(() => ok());
  await using served = await serve({ service: serviceOf(methods) });
  for (const capture of all) {
    const label = `${capture.file}:${capture.n}`;
    const got = await sendAsCaptured(served.port, capture);
    const head = got.toString('latin1', 0, got.indexOf('\r\n\r\n'));
    const body = got.subarray(got.indexOf('\r\n\r\n') + 4);
    const binary = capture.protocol === 'TBinary-strict';
    expect([label, head.split('\r\n')[0]]).toEqual([label, 'HTTP/1.1 200 OK']);
    expect(head).toContain(`Content-Type: ${binary ? BINARY : JSON_TYPE}\r\n`);
    const reader = binary ? new BinaryReader(body) : new JsonReader(body);
    expect([label, reader.readMessageBegin()]).toEqual([
      label,
      { name: capture.rpc, type: 2, seqid: capture.seqid },
    ]);
  }
  expect(calls.map(({ method }) => method)).toEqual(all.map(({ rpc }) => rpc));
  expect(calls.length).toBeGreaterThan(190);
});

describe('what they mean', () => {
  const of = async (file: string): Promise<readonly Call[]> => {
    const { calls, methods } = recorder();
    const service = serviceOf(methods);
    for (const { body, protocol } of all.filter((capture) => capture.file === file)) {
      const kind = protocol === 'TJSON' ? 'json' : 'binary';
      await service.handle(body, kind, kind, { user: 'x' });
    }
    return calls;
  };

  withCaptures('no argument is lost: each struct that a method takes is there', async () => {
    const shapes = methodsOf(auroraSchema(), 'AuroraAdmin');
    for (const file of new Set(all.map((capture) => capture.file))) {
      for (const { method, args } of await of(file)) {
        const lost = shapes
          .get(method)!
          .args.filter(({ name, type }) => type.kind === 'struct' && args[name] === undefined)
          .map(({ name }) => `${method}.${name}`);
        // Of the two ways to ask for details gorealis uses one.
        expect(lost.filter((name) => name !== 'getJobUpdateDetails.key')).toEqual([]);
      }
    }
  });

  withCaptures(
    'killTasks: Python leaves instances out for all, gorealis sends an empty set',
    async () => {
      const kills = async (file: string) =>
        (await of(file)).filter(({ method }) => method === 'killTasks').map(({ args }) => args);
      expect((await kills('aurora-py.jsonl')).map(({ job }) => job)).not.toContain(undefined);
      const go = [
        ...(await kills('gorealis1-bin.jsonl')),
        ...(await kills('gorealis2-json.jsonl')),
      ];
      for (const { instances, message } of go) {
        expect(Array.isArray(instances)).toBe(true);
        expect(message).toBe('');
      }
    },
  );

  withCaptures('gorealis says the same in TBinary and in TJSON', async () => {
    const [binary, json] = [await of('gorealis1-bin.jsonl'), await of('gorealis2-json.jsonl')];
    const quota = (calls: readonly Call[]) =>
      calls.find(({ method }) => method === 'setQuota')!.args['quota'] as { resources: object[] };
    const members = (calls: readonly Call[]) =>
      quota(calls)
        .resources.map((resource) => Object.keys(resource)[0])
        .sort();
    expect(members(binary)).toEqual(['diskMb', 'numCpus', 'ramMb']);
    expect(members(json)).toEqual(members(binary));
  });
});
