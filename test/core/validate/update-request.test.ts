import {
  updateMessageProblem,
  validateDiffRequest,
  validateUpdateRequest,
} from '../../../src/core/validate/update-request.js';
import type { ApiJobUpdateRequest } from '../../../src/core/validate/update-request.js';
import { settingsFromApi, settingsToApi } from '../../../src/core/validate/update-settings.js';
import type { ApiUpdateSettings } from '../../../src/core/validate/update-settings.js';
import { aRequest, aTask, LIMITS, okOf, someSettings, verdict } from './fixtures.js';

type Changes<T> = { readonly [K in keyof T]?: T[K] | undefined };
const start = (settings: Changes<ApiUpdateSettings>, change: Changes<ApiJobUpdateRequest> = {}) =>
  verdict(validateUpdateRequest(aRequest(settings, change), LIMITS));
const service = (change: Parameters<typeof aTask>[0]) => aTask({ isService: true, ...change });

const invalid = (text: string) => expect.stringContaining(`INVALID_REQUEST: ${text}`);
const error = (text: string) => expect.stringContaining(`ERROR: ${text}`);
const slaPolicy = { countSlaPolicy: { count: 1, durationSecs: 60 } };
const dedicated = [{ name: 'dedicated', constraint: { value: { negated: false, values: ['*'] } } }];

describe('startJobUpdate', () => {
  test('a good request is normalised', () => {
    expect(okOf(validateUpdateRequest(aRequest(), LIMITS))).toEqual({
      config: { ...service({}), tier: 'tier-dev' },
      instanceCount: 6,
      settings: okOf(settingsFromApi(someSettings())),
      metadata: [],
    });
  });

  test('RPC-041 a missing request, task config or settings is an ERROR', () => {
    expect(verdict(validateUpdateRequest(undefined, LIMITS))).toEqual(error('request must be set'));
    expect(start({}, { taskConfig: undefined })).toEqual(error('request.taskConfig'));
    expect(start({}, { settings: undefined })).toEqual(error('request.settings'));
    // Row 2 comes before the settings.
    const neither = { settings: undefined, taskConfig: aTask() };
    expect(start({}, neither)).toEqual(invalid('taskConfig.isService'));
  });

  test('RPC-045 only services are updated', () => {
    expect(start({}, { taskConfig: aTask({ isService: false }) })).toEqual(
      invalid('taskConfig.isService'),
    );
  });

  test.each<[ApiUpdateSettings['updateStrategy'], string]>([
    [{ queueStrategy: { groupSize: 0 } }, 'would modify nothing'],
    [{ queueStrategy: { groupSize: -1 } }, 'would modify nothing'],
    [{ batchStrategy: { groupSize: 0, autopauseAfterBatch: true } }, 'would modify nothing'],
    [
      { varBatchStrategy: { groupSizes: [1, 0, 4], autopauseAfterBatch: false } },
      'groupSizes must all be positive',
    ],
    [{ varBatchStrategy: { groupSizes: [], autopauseAfterBatch: false } }, 'would modify nothing'],
    [{}, 'updateStrategy must be of exactly one known kind'],
    [
      {
        queueStrategy: { groupSize: 1 },
        batchStrategy: { groupSize: 1, autopauseAfterBatch: false },
      },
      'updateStrategy must be of exactly one known kind',
    ],
  ])('RPC-042 strategy %j is refused', (updateStrategy, text) => {
    const message = start({ updateStrategy });
    expect(message).toContain(text);
    expect(message).toEqual(invalid('settings.updateStrategy'));
  });

  test('RPC-042 the old group size counts where no strategy is given', () => {
    const old = { updateStrategy: undefined, updateGroupSize: 0 };
    expect(start(old)).toContain('would modify nothing');
    expect(start({ ...old, waitForBatchCompletion: true })).toContain('would modify nothing');
    expect(start({ ...old, updateGroupSize: 1 })).toBe('OK');
    // With a strategy it counts for nothing.
    expect(start({ updateGroupSize: 0 })).toBe('OK');
  });

  test.each([
    'maxPerInstanceFailures',
    'maxFailedInstances',
    'minWaitInInstanceRunningMs',
    'blockIfNoPulsesAfterMs',
  ] as const)('RPC-043 %s −1 is refused', (field) => {
    expect(start({ [field]: -1 })).toEqual(invalid(`settings.${field}`));
    expect(start({ [field]: 0 })).toBe('OK');
  });

  test('RPC-044 too many failures, counted exactly', () => {
    const failures = 'settings.maxPerInstanceFailures × instanceCount';
    expect(start({ maxPerInstanceFailures: 2010 })).toEqual(invalid(failures));
    expect(start({ maxPerInstanceFailures: 333 })).toBe('OK');
    expect(start({ maxPerInstanceFailures: 334 })).toEqual(invalid(failures));
    // An i32 product would wrap to 0.
    const wrapping = start({ maxPerInstanceFailures: 65_536 }, { instanceCount: 65_536 });
    expect(wrapping).toEqual(invalid(failures));
    expect(start({ maxFailedInstances: 2_000_000_000 })).toBe('OK');
  });

  test('RPC-047 an SLA-aware update needs a policy', () => {
    expect(start({ slaAware: true })).toEqual(invalid('settings.slaAware needs'));
    const taskConfig = service({ tier: 'tier-prod', slaPolicy, constraints: dedicated });
    expect(
      start({ slaAware: true, maxPerInstanceFailures: 0 }, { taskConfig, instanceCount: 20 }),
    ).toBe('OK');
  });

  test('RPC-003 a bad tier is refused', () => {
    expect(start({}, { taskConfig: service({ tier: ',' }) })).toEqual(invalid('taskConfig.tier'));
  });

  test('the environment is not looked at', () => {
    const job = { role: 'r', environment: 'anywhere', name: 'n' };
    expect(start({}, { taskConfig: service({ job }) })).toBe('OK');
  });

  test('row 13: what breaks the diff is an ERROR', () => {
    expect(start({}, { instanceCount: -1 })).toEqual(error('instanceCount'));
    const scope = (...updateOnlyTheseInstances: { first: number; last: number }[]) =>
      start({ updateOnlyTheseInstances });
    expect(scope({ first: 2, last: 1 })).toEqual(error('settings.updateOnlyTheseInstances'));
    expect(scope({ first: 0, last: 2 }, { first: 2, last: 3 })).toEqual(
      error('settings.updateOnlyTheseInstances'),
    );
    expect(scope({ first: 0, last: 2 }, { first: 3, last: 3 })).toBe('OK');
    // Not before the task rules.
    const both = { instanceCount: -1, taskConfig: service({ tier: ',' }) };
    expect(start({}, both)).toEqual(invalid('taskConfig.tier'));
  });

  test('instance counts of 0 and beyond the limit are left to the later rows', () => {
    expect(start({}, { instanceCount: 0 })).toBe('OK');
    expect(start({ maxPerInstanceFailures: 0 }, { instanceCount: 1001 })).toBe('OK');
  });

  test('the order of the settings rules', () => {
    const all: Changes<ApiUpdateSettings> = {
      updateStrategy: { queueStrategy: { groupSize: 0 } },
      maxPerInstanceFailures: -1,
      maxFailedInstances: -1,
      minWaitInInstanceRunningMs: -1,
      blockIfNoPulsesAfterMs: -1,
      slaAware: true,
    };
    const repairs: Changes<ApiUpdateSettings>[] = [
      {},
      { updateStrategy: { queueStrategy: { groupSize: 1 } } },
      { maxPerInstanceFailures: 5000 },
      { maxFailedInstances: 0 },
      { maxPerInstanceFailures: 0 },
      { minWaitInInstanceRunningMs: 0 },
      { blockIfNoPulsesAfterMs: 0 },
    ];
    let settings = all;
    const named = repairs.map((repair) => {
      settings = { ...settings, ...repair };
      return /settings\.(\w+)/.exec(start(settings))?.[1];
    });
    expect(named).toEqual([
      'updateStrategy',
      'maxPerInstanceFailures',
      'maxFailedInstances',
      'maxPerInstanceFailures',
      'minWaitInInstanceRunningMs',
      'blockIfNoPulsesAfterMs',
      'slaAware',
    ]);
  });

  test('T22 applies', () => {
    const limits = { ...LIMITS, executorDataProblem: () => '$: bad' };
    expect(verdict(validateUpdateRequest(aRequest(), limits))).toEqual(
      invalid('taskConfig: $: bad'),
    );
  });
});

describe('settings', () => {
  test('without a strategy it is derived, and the old fields stay as sent', () => {
    const old = someSettings({ updateStrategy: undefined, updateGroupSize: 3 });
    expect(okOf(settingsFromApi(old))).toMatchObject({
      strategy: { kind: 'queue', groupSize: 3 },
      updateGroupSize: 3,
      waitForBatchCompletion: false,
    });
    expect(okOf(settingsFromApi({ ...old, waitForBatchCompletion: true }))).toMatchObject({
      strategy: { kind: 'batch', groupSize: 3, autopause: false },
      updateGroupSize: 3,
      waitForBatchCompletion: true,
    });
  });

  test.each<[ApiUpdateSettings['updateStrategy']]>([
    [{ queueStrategy: { groupSize: 2 } }],
    [{ batchStrategy: { groupSize: 2, autopauseAfterBatch: true } }],
    [{ varBatchStrategy: { groupSizes: [1, 2, 3], autopauseAfterBatch: true } }],
  ])('%j comes back as it went in', (updateStrategy) => {
    const settings = someSettings({
      updateStrategy,
      updateGroupSize: 7,
      waitForBatchCompletion: true,
      blockIfNoPulsesAfterMs: 60_000,
      slaAware: true,
      updateOnlyTheseInstances: [{ first: 1, last: 2 }],
    });
    expect(settingsToApi(okOf(settingsFromApi(settings)))).toEqual(settings);
  });

  test('the derived strategy is returned', () => {
    const old = someSettings({ updateStrategy: undefined, updateGroupSize: 3 });
    expect(settingsToApi(okOf(settingsFromApi(old)))).toEqual({
      ...old,
      updateStrategy: { queueStrategy: { groupSize: 3 } },
    });
  });
});

describe('getJobUpdateDiff', () => {
  const diff = (request: ApiJobUpdateRequest | undefined) =>
    verdict(validateDiffRequest(request, { ...LIMITS, executorDataProblem: () => 'bad' }));

  test('RPC-082 a bad config is refused', () => {
    const resources = [{ numCpus: -1 }, { ramMb: 1 }, { diskMb: 1 }];
    expect(diff(aRequest({}, { taskConfig: service({ resources }) }))).toEqual(
      invalid('taskConfig.resources: num_cpus'),
    );
  });

  test('of the settings only their presence and the scope count', () => {
    expect(diff(aRequest({ updateStrategy: {}, maxFailedInstances: -1 }))).toBe('OK');
    expect(diff(aRequest({}, { taskConfig: aTask({ isService: false, tier: 'tier-prod' }) }))).toBe(
      'OK',
    );
    expect(diff(aRequest({}, { settings: undefined }))).toEqual(error('request.settings'));
    expect(diff(aRequest({}, { instanceCount: -1 }))).toEqual(error('instanceCount'));
    expect(diff(aRequest({ updateOnlyTheseInstances: [{ first: 1, last: 0 }] }))).toEqual(
      error('settings.updateOnlyTheseInstances'),
    );
    expect(diff(undefined)).toEqual(error('request'));
    expect(diff(aRequest({}, { taskConfig: undefined }))).toEqual(error('request'));
  });
});

describe('messages', () => {
  test('RPC-054 1024 characters are the most', () => {
    expect(verdict(updateMessageProblem('x'.repeat(1025)))).toEqual(error('message'));
    expect(verdict(updateMessageProblem('x'.repeat(1024)))).toBe('OK');
    expect(verdict(updateMessageProblem(''))).toBe('OK');
    expect(verdict(updateMessageProblem(undefined))).toBe('OK');
  });
});
