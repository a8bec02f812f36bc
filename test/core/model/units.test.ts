import { parseDuration, parseSize, UnitError } from '../../../src/core/units.js';

describe('times', () => {
  test.each([
    ['5mins', 300_000],
    ['30secs', 30_000],
    ['1hrs', 3_600_000],
    ['1days', 86_400_000],
    ['100ms', 100],
    ['0secs', 0],
    ['007ms', 7],
    ['1999us', 1],
    ['1000000ns', 1],
    ['999999ns', 0],
  ])('%s is %i ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each([
    '',
    '5',
    'mins',
    '5 mins',
    '-5mins',
    '1.5hrs',
    '5min',
    '5MINS',
    '5mins ',
    '1h',
    '5mins\n',
  ])('"%s" is refused with what would be right', (text) => {
    expect(() => parseDuration(text)).toThrow(UnitError);
    expect(() => parseDuration(text)).toThrow(/is no time: .*ms, secs, mins, hrs, days/s);
  });

  test('a time beyond exact numbers is refused', () => {
    expect(() => parseDuration('999999999999999days')).toThrow(/too large/);
  });
});

describe('sizes', () => {
  test.each([
    ['4MB', 4_194_304],
    ['1B', 1],
    ['2KB', 2048],
    ['1GB', 1_073_741_824],
    ['3TB', 3 * 1024 ** 4],
    ['1PB', 1024 ** 5],
    ['0MB', 0],
  ])('%s is %i bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  test.each(['', '4', 'MB', '4mb', '4M', '4 MB', '-1MB', '0.5GB'])('"%s" is refused', (text) => {
    expect(() => parseSize(text)).toThrow(/is no size: .*KB, MB, GB/);
  });

  test('a size beyond exact numbers is refused', () => {
    expect(() => parseSize('9PB')).toThrow(/too large/);
  });
});
