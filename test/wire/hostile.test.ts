/**
 * Whatever bytes arrive, the process lives, answers within bounds and holds bounded memory (design §3.7).
 * Time is counted as this process's CPU time, so that a busy machine does not fail the test.
 */
import { request } from 'node:http';
import { DEFAULT_MAX_BODY_BYTES } from '../../src/http/api-handler.js';
import { MAX_VALUES, type ProtocolName } from '../../src/wire/protocol.js';
import { JsonReader } from '../../src/wire/tjson.js';
import { seeded } from './random-records.js';
import { captures } from './shared.js';
import { BINARY, CALLER, hex, JSON_TYPE, recorder, send, serve, serviceOf } from './support.js';

const { methods } = recorder();
const service = serviceOf(methods);
const MOST_MS = 250;
const MIB = 1024 * 1024;

/** CPU milliseconds of the quickest of three calls, and the answer: 200 or 500 and nothing else. */
async function cost(body: Buffer, protocol: ProtocolName): Promise<{ ms: number; status: number }> {
  let ms = Infinity;
  let status = 0;
  for (let i = 0; i < 3; i++) {
    const before = process.cpuUsage();
    const result = await service.handle(body, protocol, protocol, CALLER);
    const { user, system } = process.cpuUsage(before);
    ms = Math.min(ms, (user + system) / 1000);
    status = 'status' in result ? result.status : 0;
  }
  return { ms, status };
}

const i32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const binaryCall = (name: string, ...parts: Buffer[]): Buffer =>
  Buffer.concat([hex('80010001'), i32(name.length), Buffer.from(name), i32(0), ...parts]);
const jsonCall = (name: string, fields: string): Buffer =>
  Buffer.from(`[1,"${name}",1,0,{${fields}}]`);
const repeated = (count: number, item: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => item(i)).join('');
/** As much of `unit` as fits the default limit between the two ends. */
const filled = (before: string, unit: string, after = ''): Buffer => {
  const room = DEFAULT_MAX_BODY_BYTES - before.length - after.length;
  return Buffer.from(before + unit.repeat(Math.floor(room / Buffer.byteLength(unit))) + after);
};

const MANY = MAX_VALUES - 10;
const inConfig = (fields: string): Buffer =>
  jsonCall('createJob', `"1":{"rec":{"6":{"rec":{${fields}}}}}`);
const set = (id: number, type: string, count: number, items: string): string =>
  `"${id}":{"set":["${type}",${count}${items}]}`;

describe('bodies made to hurt', () => {
  // Names say what is attacked; a number is the status the wire contract has for it.
  const bodies: readonly (readonly [string, ProtocolName, number, Buffer])[] = [
    [
      'a list of a billion elements in 50 bytes',
      'json',
      500,
      jsonCall('killTasks', '"5":{"set":["i32",1000000000,1]}'),
    ],
    [
      'the same in a field that is skipped',
      'json',
      500,
      jsonCall('killTasks', '"77":{"lst":["rec",1000000000,{}]}'),
    ],
    ['a map of a billion pairs', 'json', 500, inConfig('"22":{"map":["str","str",1000000000,{}]}')],
    [
      'a list of two billion elements',
      'binary',
      500,
      binaryCall('killTasks', hex('0e0005 08 7fffffff')),
    ],
    [
      'a map of two billion pairs',
      'binary',
      500,
      binaryCall('createJob', hex('0c0001 0c0006 0d0016 0b0b 7fffffff')),
    ],
    [
      'a string of two billion bytes',
      'binary',
      500,
      binaryCall('killTasks', hex('0b0006 7fffffff')),
    ],
    ['a __proto__ field', 'json', 500, jsonCall('killTasks', '"__proto__":{"rec":{}}')],
    ['a __proto__ type', 'json', 500, jsonCall('killTasks', '"5":{"__proto__":[]}')],
    [
      '200,000 numbers',
      'json',
      500,
      jsonCall(
        'killTasks',
        set(
          5,
          'i32',
          200_000,
          repeated(200_000, (i) => `,${i}`),
        ),
      ),
    ],
    [
      'as many numbers as may be',
      'json',
      200,
      jsonCall(
        'killTasks',
        set(
          5,
          'i32',
          MANY,
          repeated(MANY, (i) => `,${i}`),
        ),
      ),
    ],
    [
      'as many texts as may be',
      'json',
      200,
      jsonCall(
        'getTasksStatus',
        `"1":{"rec":{${set(
          4,
          'str',
          MANY,
          repeated(MANY, (i) => `,"t${i}"`),
        )}}}`,
      ),
    ],
    [
      'as many empty structs as may be',
      'json',
      200,
      inConfig(set(33, 'rec', MANY, ',{}'.repeat(MANY))),
    ],
    [
      'structs that differ',
      'json',
      200,
      inConfig(
        set(
          32,
          'rec',
          MANY / 2,
          repeated(MANY / 2, (i) => `,{"2":{"i64":${i}}}`),
        ),
      ),
    ],
    [
      'structs with sets in them',
      'json',
      200,
      inConfig(
        set(
          20,
          'rec',
          2,
          repeated(
            2,
            (i) =>
              `,{"1":{"str":"${i}"},"2":{"rec":{"1":{"rec":{${set(
                2,
                'str',
                40_000,
                repeated(40_000, (j) => `,"${(j * 7919) % 40_000}"`),
              )}}}}}}`,
          ),
        ),
      ),
    ],
    [
      'a map with keys like numbers',
      'json',
      200,
      inConfig(
        `"22":{"map":["str","str",45000,{${repeated(45_000, (i) => `${i ? ',' : ''}"${(45_000 - i) * 35_000}":""`)}}]}`,
      ),
    ],
    [
      'one field again and again',
      'json',
      200,
      jsonCall('getJobs', `"1":{"str":"a"}${',"1":{"str":"a"}'.repeat(MANY)}`),
    ],
    [
      '4 MiB of empty structs',
      'binary',
      500,
      binaryCall(
        'getTasksStatus',
        hex('0c0001 0e000b 0c'),
        i32(4_000_000),
        Buffer.alloc(4_000_002),
      ),
    ],
    [
      '4 MiB of booleans to skip',
      'binary',
      500,
      binaryCall('getJobs', hex('0f0063 02'), i32(4_000_000), Buffer.alloc(4_000_001)),
    ],
    ['4 MiB of blanks', 'json', 500, filled('', ' ')],
    ['4 MiB of digits', 'json', 500, filled('[1,"getJobs",1,0,{"9":{"i64":', '1')],
    ['a double of 4 MiB', 'json', 200, filled('[1,"getJobs",1,0,{"9":{"dbl":', '1', '}}]')],
    [
      '4 MiB of escapes',
      'json',
      200,
      filled('[1,"killTasks",1,0,{"6":{"str":"', '\\u0041', '"}}]'),
    ],
    [
      '4 MiB of broken escapes',
      'json',
      500,
      filled('[1,"killTasks",1,0,{"6":{"str":"', '\\x', '"}}]'),
    ],
    ['a text that never ends', 'json', 500, filled('[1,"killTasks",1,0,{"6":{"str":"', 'a')],
    ['a method name of 4 MiB', 'json', 200, filled('[1,"', 'x', '",1,0,{}]')],
    [
      '4 MiB that is no UTF-8',
      'binary',
      200,
      binaryCall(
        'killTasks',
        hex('0b0006'),
        i32(4_000_000),
        Buffer.alloc(4_000_000, 0xff),
        hex('00'),
      ),
    ],
    ['structs nested without end', 'json', 500, filled('[1,"x",1,0,', '{"1":{"rec":')],
    ['lists nested without end', 'json', 500, filled('[1,"getJobs",1,0,{"9":{"lst":', '["lst",1,')],
    [
      'structs nested without end',
      'binary',
      500,
      Buffer.concat([binaryCall('x'), Buffer.alloc(3 * MIB, hex('0c0001'))]),
    ],
    [
      'lists nested without end',
      'binary',
      500,
      binaryCall('x', hex('0f0001'), Buffer.alloc(4 * MIB - 100, hex('0f00000001'))),
    ],
    ['a JSON body labelled binary', 'binary', 500, jsonCall('getJobs', '')],
    ['a binary body labelled JSON', 'json', 500, binaryCall('getJobs', hex('00'))],
    ['a gzipped body', 'json', 500, hex('1f8b0800000000000003')],
  ];

  test.each(bodies)('%s (%s) is %d within bounds', async (_name, protocol, expected, body) => {
    expect(body.length).toBeLessThanOrEqual(DEFAULT_MAX_BODY_BYTES);
    const { ms, status } = await cost(body, protocol);
    expect(status).toBe(expected);
    expect(ms).toBeLessThan(MOST_MS);
  });

  test('a value where another type belongs never reaches a method', async () => {
    const { calls, methods: recorded } = recorder();
    const strict = serviceOf(recorded);
    const wrong: readonly string[] = [
      '"5":{"set":["i32",1,"1"]}',
      '"5":{"set":["i32",1,1.5]}',
      '"5":{"set":["i32",1,1e3]}',
      '"5":{"set":["i32",1,2147483648]}',
      '"5":{"set":["i32",1,null]}',
      '"5":{"set":["i32",1,true]}',
      '"5":{"set":["i32",1,[]]}',
      '"5":{"set":["str",1,"1"]}',
      '"5":{"set":["i32",2,1]}',
      '"5":{"set":["i32",0,1]}',
      '"5":{"set":["i32",-1]}',
      '"5":{"set":["nope",0]}',
      '"5":{"set":[]}',
      '"5":{"set":{}}',
      '"5":{"set":null}',
      '"5":[]',
      '"5":null',
      '"6":{"str":1}',
      '"6":{"str":null}',
      '"6":{"str":"a\\\nb"}',
      '"6":{"str":"a\\x41"}',
      '"6":{"str":"a\\u00g1"}',
      '"6":{"str":"a","x":1}',
      '"6":{"str":"a"},',
      ',"6":{"str":"a"}',
      '"x":{"str":"a"}',
      '"65536":{"str":"a"}',
      '"4":{"rec":[]}',
      '"4":{"rec":{"1":{"str":"a"}}',
      '"9":{"tf":true}',
      '"9":{"map":["str","i32",1,{"a":1,"b":2}]}',
      '"9":{"map":["str","i32",2,{"a":1}]}',
      '"9":{"map":["i32","i32",1,{1:1}]}',
      '"9":{"map":["rec","i32",1,{{}:1}]}',
      '"9":{"dbl":"1.5"}',
      '"9":{"dbl":+1}',
      '"9":{"dbl":.5}',
      '"9":{"dbl":1.}',
      '"9":{"dbl":"nan"}',
    ];
    for (const fields of wrong) {
      const result = await strict.handle(jsonCall('killTasks', fields), 'json', 'json', CALLER);
      expect([fields, result]).toEqual([fields, { status: 500 }]);
    }
    for (const bytes of [
      '0e0005 0b 00000001 00000001 31',
      '0e0005 08 00000001',
      '0e0005 01 00000001 00',
      '0e0005 00 00000001 00',
      '0c0063 990001',
      '0d0063 0b00 00000001 00000000',
      '010063 00',
    ]) {
      const body = binaryCall('killTasks', hex(bytes), hex('00'));
      const result = await strict.handle(body, 'binary', 'binary', CALLER);
      expect([bytes, result]).toEqual([bytes, { status: 500 }]);
    }
    expect(calls).toEqual([]);
  });

  test('64 structs inside each other are read, 65 are not', async () => {
    const nested = (depth: number): Buffer =>
      Buffer.from(`[1,"x",1,0,${'{"1":{"rec":'.repeat(depth - 1)}{}${'}}'.repeat(depth - 1)}]`);
    expect((await cost(nested(64), 'json')).status).toBe(200);
    expect((await cost(nested(65), 'json')).status).toBe(500);
    const binary = (depth: number): Buffer =>
      binaryCall('x', Buffer.alloc(3 * (depth - 1), hex('0c0001')), Buffer.alloc(depth));
    expect((await cost(binary(64), 'binary')).status).toBe(200);
    expect((await cost(binary(65), 'binary')).status).toBe(500);
  });

  test('memory stays bounded over a hundred of the largest bodies', async () => {
    const largest = bodies.filter(([, , , body]) => body.length > MIB);
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 100; i++) {
      const [, protocol, , body] = largest[i % largest.length]!;
      await service.handle(body, protocol, protocol, CALLER);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(512 * MIB);
  });
});

/** Requests to mutate: the captured ones, or where they are absent a few of our own. */
function originals(): readonly { protocol: ProtocolName; body: Buffer }[] {
  const captured = captures('mutations of captured requests (of our own instead)');
  if (captured.length > 0) {
    return captured.map(({ protocol, body }) => ({
      protocol: protocol === 'TJSON' ? 'json' : 'binary',
      body,
    }));
  }
  return [
    {
      protocol: 'json',
      body: inConfig(
        '"22":{"map":["str","str",1,{"a":"b"}]},"32":{"set":["rec",1,{"1":{"dbl":1.5}}]}',
      ),
    },
    {
      protocol: 'json',
      body: jsonCall('killTasks', '"5":{"set":["i32",2,1,2]},"6":{"str":"why"}'),
    },
    {
      protocol: 'binary',
      body: binaryCall('killTasks', hex('0e0005 08 00000001 00000007 0b0006 00000001 61 00')),
    },
  ];
}

type Random = () => number;
const below = (random: Random, n: number): number => Math.floor(random() * n);

const SIZES = [-1, 0, 1, 0x7fffffff, -0x80000000, 0x00ffffff, 0x10000, 65];
const WORDS = [
  'rec',
  'i32',
  'i64',
  'str',
  'set',
  'lst',
  'map',
  'tf',
  'dbl',
  '99999999999999999999',
  '-1',
  '1e9',
  'null',
  '"',
  '{',
  '}',
  '[',
  ']',
  '\\',
  '\\u0000',
  '__proto__',
];

const MUTATIONS: readonly ((body: Buffer, random: Random) => Buffer)[] = [
  (body, random) => body.subarray(0, below(random, body.length)),
  (body, random) => {
    const copy = Buffer.from(body);
    for (let i = 1 + below(random, 8); i > 0; i--) {
      copy[below(random, copy.length)]! ^= 1 << below(random, 8);
    }
    return copy;
  },
  (body, random) => {
    const copy = Buffer.from(body);
    if (copy.length >= 4)
      copy.writeInt32BE(SIZES[below(random, SIZES.length)]!, below(random, copy.length - 3));
    return copy;
  },
  (body, random) => {
    const copy = Buffer.from(body);
    // A type byte of TBinary, likely enough.
    copy[below(random, copy.length)] = below(random, 17);
    return copy;
  },
  (body, random) => {
    const word = Buffer.from(WORDS[below(random, WORDS.length)]!);
    const at = below(random, body.length);
    return Buffer.concat([
      body.subarray(0, at),
      word,
      body.subarray(at + below(random, 2) * word.length),
    ]);
  },
  (body, random) => {
    const from = below(random, body.length);
    const piece = body.subarray(from, from + below(random, 200));
    const at = below(random, body.length);
    return Buffer.concat([
      body.subarray(0, at),
      ...Array.from({ length: 1 + below(random, 300) }, () => piece),
      body.subarray(at),
    ]);
  },
  (body, random) => {
    const from = below(random, body.length);
    return Buffer.concat([body.subarray(0, from), body.subarray(from + 1 + below(random, 40))]);
  },
];

test('5,000 seeded mutations: each is answered as the table has it, and promptly (wire.md §1.4)', async () => {
  const random = seeded(5000);
  const sources = originals();
  const seen = new Map<string, number>();
  const started = process.memoryUsage().rss;
  let slowest = 0;
  for (let i = 0; i < 5000; i++) {
    const { protocol, body } = sources[below(random, sources.length)]!;
    let mutated = body;
    for (let n = 1 + below(random, 2); n > 0; n--) {
      mutated = MUTATIONS[below(random, MUTATIONS.length)]!(mutated, random);
    }
    const label = random() < 0.02 ? (protocol === 'json' ? 'binary' : 'json') : protocol;
    const before = process.cpuUsage();
    const result = await service.handle(mutated, label, 'json', CALLER);
    const { user, system } = process.cpuUsage(before);
    slowest = Math.max(slowest, (user + system) / 1000);
    let kind = '500';
    if ('close' in result) kind = 'closed';
    else if (result.status === 200) {
      const reader = new JsonReader(Buffer.concat([result.body].flat()));
      const { type } = reader.readMessageBegin();
      reader.skip(12);
      reader.readMessageEnd();
      const [, , , , struct] = JSON.parse(result.body.toString()) as [
        0,
        0,
        0,
        0,
        Record<string, { i32: number; rec: Record<string, { i32: number }> }>,
      ];
      kind = type === 3 ? `exception ${struct['2']!.i32}` : `reply ${struct['0']!.rec['1']!.i32}`;
    }
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
  }
  // Replies are OK or INVALID_REQUEST; exceptions say unknown method or protocol error.
  expect([...seen.keys()].sort()).toEqual([
    '500',
    'exception 1',
    'exception 7',
    'reply 0',
    'reply 1',
  ]);
  expect(slowest).toBeLessThan(MOST_MS);
  expect(process.memoryUsage().rss - started).toBeLessThan(512 * MIB);
});

describe('over a real server', () => {
  test('300 mutations are answered or refused, and the server goes on', async () => {
    const random = seeded(300);
    const sources = originals();
    await using served = await serve({ service });
    for (let i = 0; i < 300; i++) {
      const { protocol, body } = sources[below(random, sources.length)]!;
      const mutated = MUTATIONS[below(random, MUTATIONS.length)]!(body, random);
      const type = protocol === 'json' ? JSON_TYPE : BINARY;
      const { status, headers } = await send(served.port, mutated, [
        'Content-Type',
        type,
        'Accept',
        type,
      ]);
      expect([200, 500]).toContain(status);
      if (status === 200) expect(headers['content-type']).toBe(type);
    }
    expect((await send(served.port, '[1,"getJobs",1,0,{}]')).status).toBe(200);
  });

  test('100 MB of nothing, chunked, is refused without being held, and pulses get through', async () => {
    await using served = await serve({ service });
    const before = process.memoryUsage().rss;
    let peak = 0;
    const chunk = Buffer.alloc(64 * 1024);
    const big = new Promise<number>((resolve) => {
      const req = request({ port: served.port, host: '127.0.0.1', path: '/api', method: 'POST' });
      req.on('response', (res) => resolve(res.statusCode!));
      req.on('error', () => resolve(413));
      let left = 1600;
      const pump = (): void => {
        while (left-- > 0 && !req.destroyed)
          if (!req.write(chunk)) return void req.once('drain', pump);
        req.end();
      };
      pump();
    });
    const pulse = '[1,"pulseJobUpdate",1,0,{}]';
    for (let i = 0; i < 20; i++) {
      expect((await send(served.port, pulse)).status).toBe(200);
      peak = Math.max(peak, process.memoryUsage().rss);
    }
    expect(await big).toBe(413);
    expect(peak - before).toBeLessThan(64 * MIB);
  });
});
