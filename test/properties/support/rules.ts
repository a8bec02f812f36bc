/**
 * The rules every world has to keep (design §3, updates.md §1.3), judged over what a batch did: the
 * transactions as they were sent, the pulses as they came, the answers users got, and what is stored.
 */
import type { Pool } from 'pg';
import type { Verb } from '../../../src/core/update/verbs.js';
import type { Clock } from '../../../src/time.js';
import type { Observed, Observer } from './observed-database.js';

export type Rule =
  'gate' | 'verbs' | 'pulses' | 'paths' | 'readers' | 'work' | 'liveness' | 'internal';

export interface Finding {
  readonly rule: Rule;
  readonly text: string;
}

/** The reply of getJobUpdateDetails, as far as it is judged. */
export interface Details {
  readonly update: {
    readonly summary: {
      readonly key: { readonly id: string };
      readonly state: {
        readonly status: string;
        readonly createdTimestampMs: number;
        readonly lastModifiedTimestampMs: number;
      };
    };
  };
  readonly updateEvents: readonly { readonly status: string; readonly timestampMs: number }[];
  readonly instanceEvents: readonly { readonly timestampMs: number }[];
}

interface Answer {
  readonly updateId: string;
  readonly verb: Verb | 'start';
  readonly user: string;
}

/** The 31 entries of updates.md §2.4, written down once more on purpose. */
const NAMES: Readonly<Record<string, string>> = {
  RF: 'ROLLING_FORWARD',
  RB: 'ROLLING_BACK',
  RFP: 'ROLL_FORWARD_PAUSED',
  RBP: 'ROLL_BACK_PAUSED',
  RFA: 'ROLL_FORWARD_AWAITING_PULSE',
  RBA: 'ROLL_BACK_AWAITING_PULSE',
};
const TABLE = `
  RF: RB RFP RFA ROLLED_FORWARD ABORTED FAILED ERROR
  RB: RBP RBA ROLLED_BACK ABORTED FAILED ERROR
  RFP: RF RB RFA ABORTED ERROR
  RBP: RB RBA ABORTED ERROR
  RFA: RF RB RFP ABORTED ERROR
  RBA: RB RBP ABORTED ERROR`;
const LEGAL: ReadonlySet<string> = new Set(
  TABLE.trim()
    .split('\n')
    .flatMap((line) => {
      const [from = '', to = ''] = line.split(': ');
      return to.split(' ').map((next) => `${full(from)} ${full(next)}`);
    }),
);
const ENDED = /^(ROLLED_FORWARD|ROLLED_BACK|ABORTED|FAILED|ERROR)$/;
/** More than this does no transaction need, whatever it is about: measured, and rounded up. */
const MOST_STATEMENTS = 16;
/** Rows a transaction may read beside those it asks for by id. */
const ROWS_BESIDE = 4;
const SLEEP_TOLERANCE_MS = 1_000;
const SHOWN_OF_EACH = 5;

function full(name: string): string {
  return NAMES[name.trim()] ?? name.trim();
}

function explicit(status: string): string {
  if (status === NAMES['RFA']) return 'ROLLING_FORWARD';
  return status === NAMES['RBA'] ? 'ROLLING_BACK' : status;
}

/** Where a verb that changed nothing may have left the update. */
const SILENT: Readonly<Record<Verb | 'start', RegExp>> = {
  start: /^$/,
  pause: /PAUSED$/,
  resume: /./,
  abort: /^ABORTED$/,
  rollback: /^(ROLLING_BACK|ROLL_BACK_PAUSED|ROLLED_BACK|FAILED|ERROR)$/,
};

export class Journal implements Observer {
  readonly findings: Finding[] = [];
  /** What there was to judge, and the most statements of a transaction of an update. */
  readonly totals = { transactions: 0, actions: 0, mostStatements: 0 };
  private readonly lastPulse = new Map<string, number>();
  private driftMs = 0;
  private readonly actions: {
    readonly updateId: string;
    readonly what: string;
    readonly atMs: number;
    readonly pulseMs: number | undefined;
  }[] = [];
  private readonly answers: Answer[] = [];
  private readonly rebuilds = new Map<string, number>();
  private readonly rollbacks = new Map<string, number>();
  private inserted = 0;
  private processes = 0;
  /** Connections that were cut in the middle of something. */
  cuts = 0;
  private readonly lastVerb = new Map<string, { verb: Verb; isAnswered: boolean }>();

  constructor(
    private readonly clock: Clock,
    private readonly commitDeadlineMs: number,
  ) {}

  find(rule: Rule, text: string): void {
    const found = this.findings.filter((finding) => finding.rule === rule);
    if (found.length < SHOWN_OF_EACH) this.findings.push({ rule, text });
  }

  // -------------------------------------------------------------------------------------------- heartbeats

  pulsed(updateId: string): void {
    this.lastPulse.set(updateId, this.clock.monoNow());
  }

  slept(forMs: number): void {
    this.driftMs += forMs;
    if (this.driftMs <= SLEEP_TOLERANCE_MS) return;
    this.driftMs = 0;
    this.lastPulse.clear();
  }

  processStarted(): void {
    this.processes += 1;
    this.driftMs = 0;
    this.lastPulse.clear();
  }

  // ------------------------------------------------------------------------------------------ transactions

  committing(transaction: Observed): void {
    const { updateId, killedFor, inserted } = transaction;
    this.totals.transactions += 1;
    const atMs = this.clock.monoNow();
    for (const id of killedFor) this.act(id, 'kills', atMs);
    if (updateId !== undefined && inserted > 0) this.act(updateId, 'inserts', atMs);
    this.inserted += inserted;
    this.weigh(transaction);
  }

  rollingBack({ updateId }: Observed): void {
    if (updateId !== undefined) add(this.rollbacks, updateId);
  }

  statement(cause: string, text: string): void {
    this.find('pulses', `a pulse that nobody waited for (${cause}) sent ${text.slice(0, 60)}`);
  }

  private act(updateId: string, what: string, atMs: number): void {
    this.totals.actions += 1;
    this.actions.push({ updateId, what, atMs, pulseMs: this.lastPulse.get(updateId) });
  }

  /** Invariant 6: a transaction's work follows from what it was asked for. */
  private weigh({ statements, rows, values, rebuilds, checksSla, updateId }: Observed): void {
    if (updateId === undefined) return;
    if (rebuilds) add(this.rebuilds, updateId);
    const beside = rows - values;
    this.totals.mostStatements = Math.max(this.totals.mostStatements, statements.length);
    if (statements.length > MOST_STATEMENTS) {
      this.find('work', `${statements.length} statements in one transaction of ${updateId}`);
    }
    if (!rebuilds && !checksSla && beside > ROWS_BESIDE) {
      this.find('work', `${rows} rows read where ${values} were asked for, for ${updateId}`);
    }
  }

  // ------------------------------------------------------------------------------------------------- users

  asked(updateId: string, verb: Verb): void {
    this.lastVerb.set(updateId, { verb, isAnswered: false });
  }

  /** A verb was answered OK: it is in Postgres now. */
  async acknowledged(admin: Pool, answer: Answer): Promise<void> {
    const { updateId, verb, user } = answer;
    const last = this.lastVerb.get(updateId);
    if (last !== undefined) last.isAnswered = true;
    const { rows } = await admin.query<{ state: string; own: boolean }>(
      `SELECT state, EXISTS (SELECT FROM job_update_events e
          WHERE e.update_id = u.update_id AND e.user_name = $2) AS own
         FROM job_updates u WHERE update_id = $1`,
      [updateId, user],
    );
    const [row] = rows;
    if (row?.own === true) this.answers.push(answer);
    else if (row === undefined || !SILENT[verb].test(row.state)) {
      this.find('verbs', `${user}: ${verb} was answered OK, and ${updateId} is ${row?.state}`);
    }
  }

  /** A new process serves: what was answered before holds. */
  async restarted(admin: Pool): Promise<void> {
    const { rows } = await admin.query<{ user: string }>(
      'SELECT user_name AS user FROM job_update_events WHERE user_name IS NOT NULL',
    );
    const stored = new Set(rows.map(({ user }) => user));
    for (const { user, verb } of this.answers) {
      if (!stored.has(user)) this.find('verbs', `${user}: ${verb} is lost after a restart`);
    }
    const states = await admin.query<{ id: string; state: string }>(
      'SELECT update_id AS id, state FROM job_updates',
    );
    for (const { id, state } of states.rows) {
      const last = this.lastVerb.get(id);
      if (last === undefined || !last.isAnswered) continue;
      const { verb } = last;
      if ((verb === 'pause' || verb === 'abort') && !SILENT[verb].test(state)) {
        this.find('verbs', `${id} is ${state} after a restart, though ${verb} was answered OK`);
      }
    }
  }

  /** I1 to I4, as somebody sees them who reads at any moment. */
  read({ update, updateEvents, instanceEvents }: Details): void {
    const { key, state } = update.summary;
    const say = (text: string): void => this.find('readers', `${key.id}: ${text}`);
    const statuses = updateEvents.map(({ status }) => status);
    const times = updateEvents.map(({ timestampMs }) => timestampMs);
    if (![NAMES['RF'], NAMES['RFA']].includes(statuses[0])) say(`begins with ${statuses[0]}`);
    if (statuses.at(-1) !== state.status) say(`${state.status} with last event ${statuses.at(-1)}`);
    for (const pair of pairs(statuses)) if (!LEGAL.has(pair)) say(`shows ${pair}`);
    if (times.some((at, n) => n > 0 && at < (times[n - 1] ?? 0))) say(`events at ${times.join()}`);
    if (state.createdTimestampMs !== times[0]) say('was not created with its first event');
    // The last event shown may be one that is not stored; it does not count.
    const ofInstances = instanceEvents.map(({ timestampMs }) => timestampMs);
    const newest = [times, times.slice(0, -1)].map((own) => Math.max(...own, ...ofInstances));
    if (!newest.includes(state.lastModifiedTimestampMs)) say('modified when no event says so');
  }

  errorLogged(line: string, isOfTheDead: boolean): void {
    if (isOfTheDead) return;
    const { msg, err } = JSON.parse(line) as {
      msg: string;
      err?: { type: string; message: string };
    };
    if (err?.type === 'TransientError' || err?.message === 'this process is dead') return;
    this.find('internal', `${msg}: ${err?.message}`);
  }

  // ------------------------------------------------------------------------------------------------- audit

  /** The whole batch, from what is stored in the end. */
  async audit(admin: Pool): Promise<void> {
    await this.auditActions(admin);
    await this.auditUpdates(admin);
    await this.auditTasks(admin);
  }

  /** Invariant 1. */
  private async auditActions(admin: Pool): Promise<void> {
    const { rows } = await admin.query<{ id: string; p: number }>(
      'SELECT update_id AS id, pulse_timeout_ms AS p FROM job_updates',
    );
    await this.auditObservation(admin);
    const timeouts = new Map(rows.map(({ id, p }) => [id, p]));
    for (const { updateId, what, atMs, pulseMs } of this.actions) {
      const p = timeouts.get(updateId) ?? 0;
      if (p === 0) continue;
      const age = pulseMs === undefined ? Infinity : atMs - pulseMs;
      if (age > p + this.commitDeadlineMs) {
        this.find('gate', `${updateId} ${what} ${age} ms after its last pulse; P is ${p}`);
      }
    }
  }

  /** Nothing may be stored that was not seen on its way: else this file no longer knows the statements. */
  private async auditObservation(admin: Pool): Promise<void> {
    const { rows } = await admin.query<{ kills: number; inserts: number }>(
      `SELECT (SELECT count(*)::int FROM task_events
                WHERE status = 'KILLING' AND message ~ '^Killed for job update ') AS kills,
              (SELECT count(*)::int FROM tasks WHERE ancestor_id IS NULL) AS inserts`,
    );
    const kills = this.actions.filter(({ what }) => what === 'kills').length;
    if (kills < (rows[0]?.kills ?? 0) || this.inserted < (rows[0]?.inserts ?? 0)) {
      throw new Error(
        `${kills} kills and ${this.inserted} inserts seen of ${JSON.stringify(rows)}`,
      );
    }
  }

  /** Invariants 3 and 4 of updates, and that each has ended. */
  private async auditUpdates(admin: Pool): Promise<void> {
    const updates = await admin.query<{ id: string; job: string; state: string }>(
      `SELECT update_id AS id, job_name AS job, state FROM job_updates ORDER BY update_id`,
    );
    const events = await admin.query<{ id: string; update: string; status: string; user: string }>(
      `SELECT id, update_id AS update, status, user_name AS user FROM job_update_events ORDER BY job_update_events.id`,
    );
    // The store after each write to an update, with the newest event it had then.
    const writes = await admin.query<{ update: string; state: string; status: string }>(
      `SELECT s.update_id AS update, s.state, e.status
         FROM test_states s JOIN job_update_events e ON e.id = s.event_id`,
    );
    for (const { update, state, status } of writes.rows) {
      if (/AWAITING/.test(state)) this.find('readers', `${update} was stored as ${state}`);
      if (explicit(status) !== state) {
        this.find('pulses', `${update} was ${state} where its events say ${status}`);
      }
    }
    const activeOf = new Map<string, string>();
    const jobOf = new Map(updates.rows.map(({ id, job }) => [id, job]));
    for (const { update, status } of events.rows) {
      const job = jobOf.get(update) ?? '';
      const active = activeOf.get(job);
      if (active !== undefined && active !== update) {
        this.find('paths', `${update} and ${active} of ${job} are active at once`);
      }
      if (ENDED.test(status)) activeOf.delete(job);
      else activeOf.set(job, update);
    }
    for (const { id, state } of updates.rows) {
      const own = events.rows.filter(({ update }) => update === id);
      const statuses = own.map(({ status }) => status);
      this.auditRebuilds(id, statuses);
      if (!ENDED.test(state)) this.find('liveness', `${id} is still ${state}: ${statuses.join()}`);
      if (![NAMES['RF'], NAMES['RFA']].includes(statuses[0])) {
        this.find('paths', `${id} begins with ${statuses[0]}`);
      }
      for (const pair of pairs(statuses)) {
        if (!LEGAL.has(pair)) this.find('paths', `${id} has stored ${pair}`);
      }
      own.forEach(({ status, user }, n) => {
        const before = own[n - 1]?.status;
        const isLapse = explicit(status) !== status && user === null && before !== undefined;
        if (isLapse && explicit(status) !== explicit(before)) {
          this.find('pulses', `${id} went from ${before} to ${status} by itself`);
        }
      });
    }
    const twice = await admin.query<{ id: string; instance: number; action: string }>(
      `SELECT update_id AS id, instance_id AS instance, action FROM job_instance_update_events
        WHERE message IS NULL GROUP BY 1, 2, 3 HAVING count(*) > 1`,
    );
    for (const { id, instance, action } of twice.rows) {
      this.find('readers', `${id} has ${action} of instance ${instance} more than once`);
    }
  }

  /** An updater is built when it starts to roll, on boot, and after a failure; never to look at progress. */
  private auditRebuilds(id: string, statuses: readonly string[]): void {
    const starts = statuses.filter((status) => /^ROLLING_/.test(status)).length;
    const failures = (this.rollbacks.get(id) ?? 0) + this.cuts;
    const built = this.rebuilds.get(id) ?? 0;
    if (built > starts + failures + this.processes) {
      this.find(
        'work',
        `${id} was built ${built} times for ${starts} starts, ${failures} failures`,
      );
    }
  }

  /** Invariant 4 of tasks: a generation begins when the one before it has ended. */
  private async auditTasks(admin: Pool): Promise<void> {
    const { rows } = await admin.query<{ job: string; instance: number; overlap: string }>(
      `SELECT job, instance, task_id AS overlap FROM (
         SELECT job, instance, task_id, ended, lead(began) OVER (
                  PARTITION BY job, instance ORDER BY began) AS next
           FROM (SELECT t.job_name AS job, t.instance_id AS instance, t.task_id,
                        min(e.id) AS began,
                        min(e.id) FILTER (WHERE e.status IN ('FINISHED', 'FAILED', 'KILLED', 'LOST')) AS ended
                   FROM tasks t JOIN task_events e USING (task_id)
                  WHERE t.removed_at IS NULL GROUP BY 1, 2, 3) generations) g
        WHERE next IS NOT NULL AND (ended IS NULL OR ended > next)`,
    );
    for (const { job, instance, overlap } of rows) {
      this.find('paths', `${job}/${instance}: ${overlap} was still active when the next one began`);
    }
  }
}

function pairs(statuses: readonly string[]): string[] {
  return statuses.slice(1).map((status, n) => `${statuses[n]} ${status}`);
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
