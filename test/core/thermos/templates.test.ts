import fc from 'fast-check';
import { resolveAliases, resolvePorts } from '../../../src/core/thermos/ports.js';
import { bindText, nodeScope, parseAddress } from '../../../src/core/thermos/templates.js';

const tree = {
  a: 'x',
  b: '{{a}}{{a}}',
  loop: '{{loop}}',
  list: ['zero', 'one'],
  map: { 'org.apache.aurora.port.0': '31000', 'a/b': 'slash' },
};

function bind(text: string): string {
  return bindText(text, [nodeScope(tree)], '$');
}

describe('templates', () => {
  test.each([
    ['plain', 'plain'],
    ['{{a}}-{{a}}', 'x-x'],
    ['{{.a}}', 'x'],
    ['{{{a}}}', '{x}'],
    ['{{b}}', 'xx'],
    ['{{list[1]}}', 'one'],
    ['{{map[org.apache.aurora.port.0]}}', '31000'],
    ['{{map[a/b]}}', 'slash'],
    ['{{}}', '{{}}'],
    ['{{&a}}', '{{a}}'],
    ['{{&a&}}', '{{a}}'],
    ['{ {a} }', '{ {a} }'],
    ['${a:-{}}', '${a:-{}}'],
  ])('%s → %s', (text, bound) => {
    expect(bind(text)).toBe(bound);
  });

  test.each([
    '{{ a }}',
    '{{a }}',
    '{{#a}}',
    '{{print $1}}',
    '{{1}}',
    '{{a..b}}',
    '{{[0]}}',
    '{{list[]}}',
    '{{list[1}}',
    '{{a b}}',
  ])('%s is malformed', (text) => {
    expect(() => bind(text)).toThrow('malformed');
  });

  test.each([
    '{{c}}',
    '{{a.b}}',
    '{{list}}',
    '{{list[2]}}',
    '{{list.length}}',
    '{{map[x]}}',
    '{{toString}}',
  ])('%s is unresolved', (text) => {
    expect(() => bind(text)).toThrow('nothing resolves');
  });

  test('references without end are refused, whether they stay as they are or grow', () => {
    expect(() => bind('{{loop}}')).toThrow('nothing resolves');
    const scopes = (grows: string) => [nodeScope({ grows, ping: '{{pong}}', pong: '{{ping}}' })];
    expect(() => bindText('{{ping}}', scopes(''), '$')).toThrow('never come to an end');
    expect(() => bindText('{{grows}}', scopes('{{grows}}{{grows}}'), '$')).toThrow('without end');
    expect(() => bindText('{{grows}}', scopes('{{grows}} '), '$')).toThrow('never come to an end');
  });

  test('an address that was read says the same again', () => {
    const ident = fc.stringMatching(/^[A-Za-z_]\w{0,5}$/);
    const step = fc.oneof(
      ident.map((name) => `.${name}`),
      fc.stringMatching(/^[\w\-./]{1,6}$/).map((index) => `[${index}]`),
    );
    fc.assert(
      fc.property(ident, fc.array(step, { maxLength: 5 }), (first, rest) => {
        expect(parseAddress([first, ...rest].join(''))).toHaveLength(1 + rest.length);
      }),
    );
  });
});

describe('ports', () => {
  test('THERMOS-072 aliases are followed to their root, cycles refused', () => {
    expect({ ...resolveAliases({ aurora: 'http', http: 80 }) }).toEqual({ aurora: 80, http: 80 });
    expect({ ...resolveAliases({ aurora: 'http', http: 'unbound' }) }).toEqual({
      aurora: 'unbound',
      http: 'unbound',
    });
    expect(() => resolveAliases({ a: 'b', b: 'a' })).toThrow('leads back to itself');
    expect(() => resolveAliases({ c: 'a', a: 'b', b: 'a' })).toThrow('leads back to itself');
  });

  test('assigned ports lie over the port map; what ends in no number is dropped', () => {
    const ports = resolvePorts(
      { aurora: 'http', admin: '8300', http: '80', other: 'nowhere' },
      { http: 31001 },
    );
    expect({ ...ports }).toEqual({ aurora: 31001, admin: 8300, http: 31001 });
  });
});
