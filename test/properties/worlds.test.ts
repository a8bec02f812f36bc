/**
 * The invariants of the design (§3) over random worlds, each a check of its own.
 *
 * The worlds are run once, in batches on one scheduler each; then every test judges what was found. A run
 * prints its seed; `npm run test:properties -- --seed N` repeats it, `--path` one batch of it, `--runs` sets
 * the number of worlds.
 */
import fc from 'fast-check';
import { Arena } from './support/arena.js';
import { batchOf } from './support/plans.js';
import type { Finding, Rule } from './support/rules.js';

const given = (name: string): string | undefined => process.env[`AURORA_PROPERTIES_${name}`];

const WORLDS = Number(given('RUNS') ?? 200);
const BATCH = Math.min(WORLDS, 20);
const SEED = Number(given('SEED') ?? Date.now() % 2 ** 31);
const PATH = given('PATH');

jest.setTimeout(24 * 3_600_000);

let findings: readonly Finding[] = [];
let story = '';

beforeAll(async () => {
  const begun = performance.now();
  let batches = 0;
  const totals = { transactions: 0, actions: 0, mostStatements: 0 };
  const details = await fc.check(
    fc.asyncProperty(batchOf(BATCH), async (plan) => {
      const journal = await Arena.run(plan);
      batches += 1;
      totals.transactions += journal.totals.transactions;
      totals.actions += journal.totals.actions;
      totals.mostStatements = Math.max(totals.mostStatements, journal.totals.mostStatements);
      if (journal.findings.length === 0) return;
      findings = journal.findings;
      throw new Error(findings.map(({ rule, text }) => `${rule}: ${text}`).join('\n'));
    }),
    {
      numRuns: Math.ceil(WORLDS / BATCH),
      seed: SEED,
      endOnFailure: given('SHRINK') === undefined,
      ...(PATH === undefined ? {} : { path: PATH }),
    },
  );
  const seconds = Math.round((performance.now() - begun) / 1_000);
  const repeat = `--runs ${WORLDS} --seed ${SEED}`;
  story = `${batches * BATCH} worlds, ${JSON.stringify(totals)}, ${seconds} s; ${repeat}`;
  if (details.failed) {
    story += ` --path ${details.counterexamplePath}\n`;
    story += details.errorInstance instanceof Error ? (details.errorInstance.stack ?? '') : '';
    if (findings.length > 0) story += `\n${fc.stringify(details.counterexample)}`;
  }
  process.stderr.write(`properties: ${story}\n`);
  if (details.failed && findings.length === 0) throw new Error(story);
});

function expectKept(rule: Rule): void {
  const broken = findings.filter((finding) => finding.rule === rule).map(({ text }) => text);
  expect(broken).toEqual([]);
}

test('invariant 1: no kill or insert of a coordinated update is sent later than P + D after its last pulse', () => {
  expectKept('gate');
});

test('invariant 2: what was answered OK is in Postgres, and holds after a restart', () => {
  expectKept('verbs');
});

test('invariant 3: a pulse writes nothing, and a missed one changes no stored status', () => {
  expectKept('pulses');
});

test('invariant 4: events keep to the table, one active update for a job, one active task for an instance', () => {
  expectKept('paths');
});

test('SH-9 readers see I1 to I4 at any moment, no update is stored as awaiting, no action comes twice', () => {
  expectKept('readers');
});

test('invariant 6: a transaction takes a bounded number of statements and reads what it asked for', () => {
  expectKept('work');
});

test('every update ends once its monitor pulses and nothing fails any more', () => {
  expectKept('liveness');
});

test('nothing fails but what the worlds make fail', () => {
  expectKept('internal');
});
