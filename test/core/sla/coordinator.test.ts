/** tasks.md §9.2: the URL a coordinator is asked at, and which replies are a yes. */
import {
  clusterInstanceKey,
  coordinatorUrl,
  readAnswer,
} from '../../../src/core/sla/coordinator.js';

const JOB = { role: 'www-data', environment: 'prod', name: 'hello' };
const KEY = clusterInstanceKey('cluster', JOB, 12);
const QUERY = 'task=cluster%2Fwww-data%2Fprod%2Fhello%2F12';

test('the instance in full', () => {
  expect(KEY).toBe('cluster/www-data/prod/hello/12');
});

test.each([
  ['http://host:1/path', `http://host:1/path?${QUERY}`],
  ['http://host/', `http://host/?${QUERY}`],
  ['https://host?a=b', `https://host?a=b&${QUERY}`],
  ['https://host?', `https://host?${QUERY}`],
  ['https://host/x?a=b&', `https://host/x?a=b&${QUERY}`],
  ['http://host/x#part', `http://host/x?${QUERY}`],
])('%s', (url, asked) => {
  expect(coordinatorUrl(url, KEY)).toBe(asked);
});

test.each<[number, string, boolean, RegExp]>([
  [200, '{"drain": true}', true, /^$/],
  [200, '{"drain": true, "reason": "fine"}', true, /^$/],
  [200, '{"drain": false}', false, /^$/],
  [200, '{"drain": "true"}', false, /"drain" .* no boolean/],
  [200, '{"drain": 1}', false, /no boolean/],
  [200, '{"drain": null}', false, /no boolean/],
  [200, '{"other": true}', false, /no member "drain"/],
  [200, '{}', false, /no member/],
  [200, '[true]', false, /no member/],
  [200, 'true', false, /no member/],
  [200, 'null', false, /no member/],
  [200, '', false, /no JSON/],
  [200, '{"drain": tr', false, /no JSON/],
  [201, '{"drain": true}', false, /HTTP 201/],
  [204, '', false, /HTTP 204/],
  [302, '{"drain": true}', false, /HTTP 302/],
  [500, '{"drain": true}', false, /HTTP 500/],
])('HTTP %i %s: %s', (httpStatus, body, isGranted, problem) => {
  const answer = readAnswer({ httpStatus, body }, 'drain');
  expect(answer.isGranted).toBe(isGranted);
  expect(answer.problem ?? '').toMatch(problem);
});

test('the status key may be any name, but not one that every object has', () => {
  const reply = { httpStatus: 200, body: '{"custom-key": true, "drain": false}' };
  expect(readAnswer(reply, 'custom-key').isGranted).toBe(true);
  expect(readAnswer({ httpStatus: 200, body: '{}' }, 'toString').problem).toMatch(/no member/);
});
