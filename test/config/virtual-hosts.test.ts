/** `--virtual_hosts`: how hosts are written, and what is said of one that is written badly. */
import { parseConfig } from '../../src/config/parse.js';
import { virtualHosts as kind } from '../../src/config/virtual-hosts.js';
import { virtualHosts } from '../../src/settings.js';

test('names, attributes of one value or several, capacities in MiB', () => {
  const text =
    'a:rack=r1:cpus=0.5:ram=8GB:disk=1536KB, b-1.x:rack=r1:rack=r2:rack=r1:dedicated=w/j=1';
  expect(kind.parse(text)).toEqual([
    { host: 'a', attributes: { rack: ['r1'] }, total: { cpus: 0.5, ramMb: 8192, diskMb: 1 } },
    { host: 'b-1.x', attributes: { rack: ['r1', 'r2'], dedicated: ['w/j=1'] }, total: {} },
  ]);
  expect(kind.parse('')).toEqual([]);
  const [{ attributes } = { attributes: {} }] = kind.parse('a:__proto__=x');
  expect(Object.entries(attributes)).toEqual([['__proto__', ['x']]]);
});

test.each([
  ['a,', '"" in "" is no host name: letters, digits, dots, dashes and underscores'],
  [':cpus=1', '"" in ":cpus=1" is no host name'],
  ['rack=r1', '"rack=r1" in "rack=r1" is no host name'],
  ['-a', '"-a" in "-a" is no host name'],
  ['a:rack', '"rack" of host "a" is not name=value'],
  ['a:=r1', '"=r1" of host "a" is not name=value'],
  ['a:rack=', '"rack=" of host "a" is not name=value'],
  ['a:host=b', '"host=b" of host "a" cannot be: the attribute host is the name in front'],
  ['a:cpus=-1', '"cpus=-1" of host "a" is no positive number of cores, such as 4 or 0.5'],
  ['a:cpus=0', '"cpus=0" of host "a" is no positive number'],
  ['a,b:ram=8', '"ram=8" of host "b" is no size, such as 8GB'],
  ['a:disk=1KB', '"disk=1KB" of host "a" is less than 1MB'],
  ['a:cpus=1:cpus=2', '"cpus=2" of host "a" is there twice'],
  ['a,b,a:rack=r', 'there are two hosts "a"'],
])('%s: %s', (text, problem) => {
  expect(() => kind.parse(text)).toThrow(problem);
});

function hostsOf(...argv: string[]): ReturnType<typeof virtualHosts> {
  const parsed = parseConfig(argv, {}, () => '', { dataDir: '/data', isRoot: false });
  if ('errors' in parsed) throw new Error(parsed.errors.join('\n'));
  return virtualHosts(parsed.config);
}

test('no two hosts share a port', () => {
  const ports = hostsOf('--virtual_hosts=a,b,c', '--port_range=31000-31010');
  expect(ports.map(({ portRanges }) => portRanges)).toEqual([
    [{ first: 31_000, last: 31_002 }],
    [{ first: 31_003, last: 31_005 }],
    [{ first: 31_006, last: 31_008 }],
  ]);
  expect(hostsOf()).toEqual([]);
});

test('each host needs a port of its own', () => {
  expect(() => hostsOf('--virtual_hosts=a,b', '--port_range=31000-31000')).toThrow(
    '--port_range: fewer ports than there are hosts in --virtual_hosts',
  );
});

test('a bad value is told with its flag', () => {
  expect(() => hostsOf('--virtual_hosts=a:cpus=x')).toThrow(/^--virtual_hosts: "cpus=x" of host/);
});
