/** The table of operations.md §1.5, and the corners of its algorithm. */
import { implies, parsePermission, permits } from '../../../src/core/access/permission.js';

const M = 'thrift.AuroraSchedulerManager';
const A = 'thrift.AuroraAdmin';

test.each([
  ['*', `${M}:killTasks:www:prod:web`, true],
  [`${M}:*`, `${M}:pulseJobUpdate:www:prod:web`, true],
  [`${M}:*`, `${A}:setQuota`, false],
  ['thrift.*', `${M}:killTasks:www:prod:web`, false],
  [`${M}:*:www`, `${M}:createJob:www:prod:web`, true],
  [`${M}:*:www`, `${M}:createJob:www2:prod:web`, false],
  [`${M}:*:www:devel`, `${M}:createJob:www:prod:web`, false],
  [`${M}:killTasks:*:*:web`, `${M}:killTasks:www:prod:web`, true],
  [`${M}:pulseJobUpdate,pauseJobUpdate:www:prod:web`, `${M}:pauseJobUpdate:www:prod:web`, true],
  [`${M}:pulseJobUpdate,pauseJobUpdate:www:prod:web`, `${M}:abortJobUpdate:www:prod:web`, false],
  [`${M}:KILLTASKS:WWW:prod:web`, `${M}:killTasks:www:prod:web`, true],
  [`${M}:killTasks:www:prod:web`, `${M}:killTasks:www:prod:WEB`, true],
  [`${M}:killTasks:www:staging*:web`, `${M}:killTasks:www:staging1:web`, false],
  [`${M}:killTasks:www::web`, `${M}:killTasks:www:prod:web`, false],
  [`${M}:killTasks:www:`, `${M}:killTasks:www:prod:web`, true],
  [`${M}:killTasks: www`, `${M}:killTasks:www:prod:web`, false],
  [`  ${M}:killTasks  `, `${M}:killTasks:www:prod:web`, true],
  [`${A}:setQuota:www`, `${A}:setQuota`, false],
  [`${A}:setQuota:*`, `${A}:setQuota`, true],
  [`${A}:setQuota:*:www`, `${A}:setQuota`, false],
  [`${A}:*`, `${M}:killTasks:www:prod:web`, false],
  [`${M}:killTasks,:www`, `${M}:killTasks:www:prod:web`, true],
  [`${M}:,killTasks:www`, `${M}:killTasks:www:prod:web`, true],
  [`${M}:killTasks,*:www`, `${M}:createJob:www:prod:web`, true],
  // Every alternative of the target must be granted.
  ['a:b', 'a:b,c', false],
  ['a:b,c', 'a:b,c', true],
  ['a:*', 'a:b,c', true],
])('%s for %s: %s', (grant, target, expected) => {
  expect(implies(parsePermission(grant), parsePermission(target))).toBe(expected);
});

test.each([
  ['', 'a permission must not be empty'],
  ['  ', 'a permission must not be empty'],
  [':', 'permission ":" has nothing but dividers'],
  ['a:,', 'permission "a:," has a part of nothing but commas'],
  [',,:a', 'permission ",,:a" has a part of nothing but commas'],
])('%j is no permission', (text, message) => {
  expect(() => parsePermission(text)).toThrow(message);
});

test('one of several grants is enough, none is never', () => {
  const target = parsePermission('a:b');
  expect(permits([], target)).toBe(false);
  expect(permits(['x', 'a'].map(parsePermission), target)).toBe(true);
});
