import type { ApiTaskQuery } from '../../../src/core/validate/query.js';
import {
  jobUpdateQueryProblem,
  pendingReasonQueryProblem,
  pruneQueryProblem,
  taskQueryProblem,
} from '../../../src/core/validate/query.js';
import { KEY, verdict } from './fixtures.js';

const { role, environment, name: jobName } = KEY;

describe('TaskQuery', () => {
  test.each<[string, ApiTaskQuery]>([
    ['nothing', {}],
    [
      'empty collections',
      { taskIds: [], statuses: [], instanceIds: [], slaveHosts: [], jobKeys: [] },
    ],
    ['a whole key', { role, environment, jobName }],
    ['keys and another role', { role: 'role-b', jobKeys: [KEY] }],
    ['the wildcard role', { role: '' }],
    ['the wildcard role and an environment', { role: ' ', environment }],
    ['a bad name that makes no key', { role, jobName: 'a/b' }],
    ['a bad key beside task ids', { taskIds: ['t'], jobKeys: [{ role }] }],
    ['negative offset and limit', { offset: -1, limit: -1 }],
  ])('%s is fine', (_name, query) => {
    expect(verdict(taskQueryProblem(query))).toBe('OK');
  });

  test.each<[string, ApiTaskQuery | undefined]>([
    ['no query', undefined],
    ['a key without an environment', { jobKeys: [{ role, name: jobName }] }],
    ['one bad key among others', { jobKeys: [KEY, { ...KEY, name: 'a b' }] }],
    ['the wildcard role in a whole key', { role: '', environment, jobName }],
    ['a bad name in a whole key', { role, environment, jobName: '' }],
    ['a bad key beside empty task ids', { taskIds: [], jobKeys: [{}] }],
  ])('%s is an ERROR', (_name, query) => {
    expect(verdict(taskQueryProblem(query))).toMatch(/^ERROR: query/);
  });
});

describe('queries with rules of their own', () => {
  test('RPC-071 pending tasks have neither hosts nor other statuses', () => {
    const pending = (query: ApiTaskQuery | undefined) => verdict(pendingReasonQueryProblem(query));
    expect(pending({ slaveHosts: ['host1'] })).toMatch(/^INVALID_REQUEST: query.slaveHosts/);
    expect(pending({ statuses: ['ASSIGNED'] })).toMatch(/^INVALID_REQUEST: query.statuses/);
    expect(pending({ statuses: ['PENDING'], slaveHosts: ['h'] })).toMatch(/slaveHosts/);
    expect(pending({ statuses: [], slaveHosts: [] })).toBe('OK');
    expect(pending({ jobKeys: [{}] })).toMatch(/^ERROR/);
    expect(pending(undefined)).toMatch(/^ERROR/);
  });

  test('RPC-120 no active status can be pruned', () => {
    const prune = (query: ApiTaskQuery | undefined) => verdict(pruneQueryProblem(query));
    expect(prune({ statuses: ['RUNNING'] })).toMatch(/^ERROR: query.statuses: RUNNING/);
    expect(prune({ statuses: ['FINISHED', 'KILLING'] })).toMatch(/^ERROR: .*KILLING/);
    expect(prune({ statuses: ['FAILED'] })).toBe('OK');
    expect(prune({ statuses: [99] })).toBe('OK');
    expect(prune({ statuses: [] })).toBe('OK');
    expect(prune({ limit: -1 })).toMatch(/^ERROR: query.limit/);
    expect(prune({ limit: 0 })).toBe('OK');
    expect(prune({ jobKeys: [{}] })).toMatch(/^ERROR/);
    expect(prune(undefined)).toMatch(/^ERROR/);
  });

  test('JobUpdateQuery: only a negative offset is wrong', () => {
    const updates = jobUpdateQueryProblem;
    expect(verdict(updates({ offset: -1 }))).toMatch(/^ERROR: jobUpdateQuery.offset/);
    expect(verdict(updates({ offset: 0, limit: -1, jobKey: { role: '/' }, key: {} }))).toBe('OK');
    expect(verdict(updates(undefined))).toMatch(/^ERROR/);
  });
});
