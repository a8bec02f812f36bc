/** Messages that come again: what is remembered of them, and what must never be. */
import { Repeats, splitMessage } from '../../src/wire/repeats.js';

const json = (seqid: string, rest = '{}'): Buffer =>
  Buffer.from(`[1,"pulseJobUpdate",1,${seqid},${rest}]`);

function binary(seqid: number, rest = Buffer.from([0])): Buffer {
  const name = Buffer.from('pulseJobUpdate');
  const head = Buffer.alloc(8);
  head.writeUInt32BE(0x80010001, 0);
  head.writeInt32BE(name.length, 4);
  const tail = Buffer.alloc(4);
  tail.writeInt32BE(seqid);
  return Buffer.concat([head, name, tail, rest]);
}

test.each([
  ['TBinary', 'binary', binary(7), binary(-2)],
  ['TJSON', 'json', json('7'), json('-2')],
] as const)('%s messages that differ only in their seqid are one', (_, protocol, first, second) => {
  const [a, b] = [splitMessage(first, protocol), splitMessage(second, protocol)];
  expect([a?.seqid, b?.seqid]).toEqual([7, -2]);
  expect(a?.rest).toBe(b?.rest);
});

test.each([
  ['arguments', 'binary', binary(1), binary(1, Buffer.from([1, 0]))],
  ['bytes after the message', 'binary', binary(1), binary(1, Buffer.from([0, 0]))],
  ['arguments', 'json', json('1'), json('1', '{"1":{"str":"x"}}')],
] as const)('messages with other %s are others (%s)', (_, protocol, first, second) => {
  expect(splitMessage(first, protocol)?.rest).not.toBe(splitMessage(second, protocol)?.rest);
});

test.each([
  ['nothing', 'binary', Buffer.alloc(0)],
  ['a name longer than the message', 'binary', Buffer.from('80010001ffffffff00000000', 'hex')],
  ['the old framing', 'binary', Buffer.from('0000000161010000000000', 'hex')],
  ['a long message', 'binary', binary(1, Buffer.alloc(2_000))],
  ['nothing', 'json', Buffer.alloc(0)],
  ['a seqid that is no number', 'json', json('"1"')],
  ['a seqid of many digits', 'json', json('12345678901')],
  ['too few members', 'json', Buffer.from('[1,"x",1]')],
] as const)('%s is read like any other (%s)', (_, protocol, body) => {
  expect(splitMessage(body, protocol)).toBeUndefined();
});

test('what is kept is bounded, and what is asked for lately stays', () => {
  const repeats = new Repeats<number>();
  repeats.set('kept', -1);
  for (let index = 0; index < 25_000; index++) {
    repeats.set(`other ${index}`, index);
    expect(repeats.get('kept')).toBe(-1);
  }
  expect(repeats.get('other 0')).toBeUndefined();
  expect(repeats.get('other 24999')).toBe(24_999);
});
