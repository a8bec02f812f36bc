/** updates.md §3.10: which policy guards a kill, and in which states one may be asked for. */
import type { SlaPolicy } from '../../../src/core/model/config.js';
import { toRanges } from '../../../src/core/model/ranges.js';
import { UPDATE_STATUSES, isRolling } from '../../../src/core/model/statuses.js';
import { requireRolling, slaPolicyOf } from '../../../src/core/sla/policy.js';
import { planUpdate } from '../../../src/core/update/plan.js';
import { aConfig, someSettings } from '../update/builders.js';

const DESIRED: SlaPolicy = { percentageSlaPolicy: { percentage: 0, durationSecs: 0 } };
const INITIAL: SlaPolicy = { percentageSlaPolicy: { percentage: 95, durationSecs: 3600 } };
const OLD = aConfig('old', { slaPolicy: INITIAL });
const NEW = aConfig('new', { slaPolicy: DESIRED });

function plan(slaAware: boolean, [old, next]: readonly (typeof OLD | undefined)[] = [OLD, NEW]) {
  return planUpdate({
    initialState: old === undefined ? [] : [{ config: old, instances: toRanges([0, 1]) }],
    ...(next === undefined ? {} : { desiredState: { config: next, instances: toRanges([0, 2]) } }),
    settings: someSettings({ slaAware }),
  });
}

test('UPD-079 testInstanceKillSlaAware, testInstanceKillSlaAwareRollback: the desired policy forward, the initial one back', () => {
  expect(slaPolicyOf(plan(true), 'forward', 0)).toEqual(DESIRED);
  expect(slaPolicyOf(plan(true), 'reverse', 0)).toEqual(INITIAL);
  // 1 is removed: forward it is the desired policy that counts all the same.
  expect(slaPolicyOf(plan(true), 'forward', 1)).toEqual(DESIRED);
  // 2 was created: going back there is no policy it ever had.
  expect(slaPolicyOf(plan(true), 'reverse', 2)).toBeUndefined();
  expect(slaPolicyOf(plan(true, [OLD]), 'forward', 0)).toBeUndefined();
});

test('UPD-081 testInstanceKillSlaAwareMissingSlaPolicy: without a policy, or not SLA-aware, a kill is plain', () => {
  expect(slaPolicyOf(plan(false), 'forward', 0)).toBeUndefined();
  expect(slaPolicyOf(plan(false), 'reverse', 0)).toBeUndefined();
  const bare = plan(true, [aConfig('old'), aConfig('new')]);
  expect(slaPolicyOf(bare, 'forward', 0)).toBeUndefined();
  expect(slaPolicyOf(bare, 'reverse', 0)).toBeUndefined();
});

test('UPD-082 testInstanceKillSlaAwareBadStatus: a kill cannot be asked for but by a rolling update', () => {
  for (const status of UPDATE_STATUSES) {
    const ask = (): void => requireRolling(status);
    if (isRolling(status)) expect(ask).not.toThrow();
    else expect(ask).toThrow(`an SLA-aware kill was requested in ${status}`);
  }
});
