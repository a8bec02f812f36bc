import {
  isGoodIdentifier,
  isValidJobKey,
  jobKeyText,
  parseJobKey,
  updateKeyText,
} from '../../../src/core/model/keys.js';
import { taskIdFor } from '../../../src/core/model/task.js';

const KEY = { role: 'www', environment: 'prod', name: 'hello' };

describe('identifiers', () => {
  test.each(['devel', 'dev-prod', 'Dev_prod-', 'deV.prod', '.devprod..', '0', 'a'.repeat(255)])(
    'RPC-089 "%s" is good',
    (text) => expect(isGoodIdentifier(text)).toBe(true),
  );

  test.each([
    'dev/prod',
    'dev prod',
    'prod\n',
    '\n',
    '',
    ' ',
    'ü',
    'a,b',
    'a'.repeat(256),
    undefined,
  ])('RPC-089 "%s" is not', (text) => expect(isGoodIdentifier(text)).toBe(false));
});

describe('keys', () => {
  test('a job key needs three good identifiers', () => {
    expect(isValidJobKey(KEY)).toBe(true);
    expect(isValidJobKey(undefined)).toBe(false);
    expect(isValidJobKey({ role: 'www', environment: 'prod' })).toBe(false);
    for (const part of ['role', 'environment', 'name'] as const) {
      expect(isValidJobKey({ ...KEY, [part]: 'a/b' })).toBe(false);
    }
  });

  test('as text and back', () => {
    expect(jobKeyText(KEY)).toBe('www/prod/hello');
    expect(updateKeyText({ job: KEY, id: 'u' })).toBe('www/prod/hello/u');
    expect(parseJobKey('www/prod/hello')).toEqual(KEY);
    for (const text of ['www/prod', 'www/prod/hello/x', 'www//hello', '']) {
      expect(parseJobKey(text)).toBeUndefined();
    }
  });

  test('a task id has no character a path or a label could stumble over', () => {
    const job = { role: 'www.data', environment: 'staging1', name: 'he.l_l-o' };
    expect(taskIdFor(job, 12, '1b4e28ba-2fa1-41d2-883f-0016d3cca427')).toBe(
      'www-data-staging1-he-l_l-o-12-1b4e28ba-2fa1-41d2-883f-0016d3cca427',
    );
  });
});
