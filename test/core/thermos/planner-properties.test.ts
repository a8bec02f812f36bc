/** Whatever happens, in whatever order: what the planner never does (thermos.md §2.2, §2.3). */
import fc from 'fast-check';
import type { ProcessPlan } from '../../../src/core/thermos/plan.js';
import { Planner, type RunOutcome } from '../../../src/core/thermos/planner.js';
import { aProcess, aSchedule } from './support.js';

const NAMES = ['p0', 'p1', 'p2', 'p3', 'p4'];

const plans: fc.Arbitrary<ProcessPlan[]> = fc
  .tuple(
    ...NAMES.map((name) =>
      fc.record({
        name: fc.constant(name),
        maxFailures: fc.integer({ min: 0, max: 3 }),
        daemon: fc.boolean(),
        ephemeral: fc.boolean(),
        final: fc.boolean(),
        minDurationSecs: fc.integer({ min: 0, max: 3 }),
      }),
    ),
  )
  .map((list) => list.map(({ name, ...fields }) => aProcess(name, fields)));

/** Pairs that point forward make no cycle; those between regular and final processes do not exist. */
const pairs = fc.array(fc.tuple(fc.nat(4), fc.nat(4)), { maxLength: 5 });

const happenings = fc.array(
  fc.record({
    /** Which of the running processes ends, if any does; a kill instead now and then. */
    what: fc.constantFrom('ends', 'ends', 'ends', 'time', 'kill'),
    pick: fc.nat(10),
    outcome: fc.constantFrom<RunOutcome>('success', 'failed', 'killed', 'lost'),
    afterMs: fc.integer({ min: 0, max: 5000 }),
    orphans: fc.nat(1),
  }),
  { maxLength: 60 },
);

test('order, limits and stages hold, and every task ends once its deadline is over', () => {
  fc.assert(
    fc.property(
      plans,
      pairs,
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 2 }),
      happenings,
      (processes, rawPairs, maxFailures, maxConcurrency, events) => {
        const byName = new Map(processes.map((process) => [process.name, process]));
        const order = rawPairs
          .filter(([a, b]) => a < b && processes[a]?.final === processes[b]?.final)
          .map(([a, b]) => [`p${a}`, `p${b}`] as const);
        const planner = new Planner(
          aSchedule(processes, { order, maxFailures, maxConcurrency }),
          5,
        );
        let state = planner.initial();
        let now = 0;
        let results = 0;
        const lastEnd = new Map<string, number>();
        const running = () => [...state.processes].filter(([, p]) => p.status === 'running');

        const feed = (event: Parameters<Planner['step']>[1]): void => {
          const before = state;
          const step = planner.step(state, event);
          state = step.state;
          for (const action of step.actions) {
            if (action.type === 'done') results++;
            if (action.type !== 'start') continue;
            const process = byName.get(action.process) as ProcessPlan;
            expect(process.final).toBe(state.stage === 'finalizing');
            expect(before.processes.get(process.name)?.status).not.toBe('finished');
            const waited = now - (lastEnd.get(process.name) ?? -Infinity);
            expect(waited).toBeGreaterThanOrEqual(process.minDurationSecs * 1000);
            for (const [first, second] of order) {
              if (second !== process.name) continue;
              expect(state.processes.get(first)?.status).toBe('finished');
            }
          }
          if (maxConcurrency > 0) expect(running().length).toBeLessThanOrEqual(maxConcurrency);
          for (const { successes, failures, losses } of state.processes.values()) {
            expect(successes + failures + losses).toBeLessThanOrEqual(5);
          }
        };

        feed({ type: 'begin', now });
        for (const { what, pick, outcome, afterMs, orphans } of events) {
          now += afterMs;
          const live = running();
          const [name] = live[pick % Math.max(1, live.length)] ?? [];
          if (what === 'ends' && name !== undefined) {
            lastEnd.set(name, now);
            feed({ type: 'ended', process: name, outcome, now, orphans });
          } else if (what === 'kill') {
            feed({ type: 'kill', graceMs: 60_000, now, orphans });
          } else {
            feed({ type: 'tick', now, orphans });
          }
        }
        feed({ type: 'kill', graceMs: 60_000, now });
        now = Math.max(now, state.deadline === Infinity ? now : state.deadline);
        feed({ type: 'tick', now, orphans: 1 });
        expect(state.stage).toBe('done');
        expect(results).toBe(1);
        expect(planner.nextTick(state, now)).toBeUndefined();
      },
    ),
    { numRuns: 300 },
  );
});
