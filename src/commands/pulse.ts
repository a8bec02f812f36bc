/**
 * `aurora-shim pulse KEY` or `pulse ID`: a minimal monitor of one coordinated update. It pulses at an interval, if a
 * command is given only while that command succeeds, and pauses the update when it fails, with the
 * command's last output as the message (updates.md §1.1, decision 2).
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import type { JobUpdateKey } from '../core/model/keys.js';
import { parseJobKey, updateKeyText } from '../core/model/keys.js';
import { parseDuration } from '../core/units.js';
import type { ApiResponse, ClientCredentials } from '../wire/client.js';
import { AuroraClient, ClientError } from '../wire/client.js';
import type { Environment } from './credentials.js';
import { readCredentials } from './credentials.js';

export const PULSE_HELP = `Usage: aurora-shim pulse UPDATE [options] [-- COMMAND [ARGUMENT ...]]

Pulses a coordinated update until it has ended. UPDATE is ROLE/ENV/NAME/UPDATE_ID, or UPDATE_ID alone,
which asks for heartbeatJobUpdate, and so for aurora-shim on the other side. With a COMMAND, runs it
before each pulse: while it exits with 0 the update is pulsed; when it fails, the update is paused, with
the last line it wrote as the message, and this command ends.

  --url=<url>            the scheduler  [http://127.0.0.1:8081]
  --interval=<duration>  time between two pulses; keep it far below blockIfNoPulsesAfterMs  [10secs]
  --timeout=<duration>   how long COMMAND may take before it counts as failed  [the interval]
  --user=<name>          whom to log in as  [AURORA_SHIM_USER]
  --password_file=<path> whose first line is the password  [the password is AURORA_SHIM_PASSWORD]

A password is never an argument, which others on the machine could read.

Ends with 0 when the update has ended, 2 when it was paused, 1 on a bad argument, an unknown update, or
where the scheduler lets this user not pulse it.
`;

/** Longest message of a pause (rpc.md §1). */
const MAX_MESSAGE = 1024;
const DEFAULT_URL = 'http://127.0.0.1:8081';
const DEFAULT_INTERVAL = '10secs';

/** An update by its key, or by its id where nobody told the job. */
export type PulseTarget = JobUpdateKey | { readonly job?: undefined; readonly id: string };

export interface PulseOptions {
  readonly target: PulseTarget;
  readonly url: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly command: readonly string[];
  readonly credentials?: ClientCredentials;
}

/** @throws Error with one line that says what is wrong with the arguments */
export function parsePulse(argv: readonly string[], env: Environment = {}): PulseOptions {
  const split = argv.indexOf('--');
  const own = split === -1 ? argv : argv.slice(0, split);
  const command = split === -1 ? [] : argv.slice(split + 1);
  const { values, positionals } = parseArgs({
    args: [...own],
    allowPositionals: true,
    options: {
      url: { type: 'string', default: DEFAULT_URL },
      interval: { type: 'string', default: DEFAULT_INTERVAL },
      timeout: { type: 'string' },
      user: { type: 'string' },
      password_file: { type: 'string' },
    },
  });
  const [text, ...rest] = positionals;
  if (text === undefined || rest.length > 0) throw new Error('pulse takes one update');
  if (split !== -1 && command.length === 0) throw new Error('no command stands behind --');
  const credentials = readCredentials(values, env);
  const intervalMs = parseDuration(values.interval);
  if (intervalMs <= 0) throw new Error('--interval must be longer than 0');
  return {
    target: parseTarget(text),
    url: values.url,
    intervalMs,
    timeoutMs: values.timeout === undefined ? intervalMs : parseDuration(values.timeout),
    command,
    ...(credentials === undefined ? {} : { credentials }),
  };
}

function parseTarget(text: string): PulseTarget {
  const parts = text.split('/');
  if (parts.length === 1 && text !== '') return { id: text };
  const job = parseJobKey(parts.slice(0, 3).join('/'));
  const id = parts[3];
  if (parts.length !== 4 || job === undefined || id === undefined || id === '') {
    throw new Error(`${text} is no update: ROLE/ENVIRONMENT/NAME/UPDATE_ID, or UPDATE_ID`);
  }
  return { job, id };
}

export interface PulseOutput {
  (line: string): void;
}

/** Runs until the update has ended, is paused by us, or `signal` says stop. Resolves to the exit code. */
export async function pulse(
  options: PulseOptions,
  print: PulseOutput,
  signal?: AbortSignal,
): Promise<number> {
  const { url, intervalMs, credentials } = options;
  const client = new AuroraClient({
    ...{ url, timeoutMs: intervalMs },
    ...(credentials === undefined ? {} : { credentials }),
  });
  const name = nameOf(options.target);
  try {
    let shown = '';
    const say = (line: string): void => {
      if (line !== shown) print(line);
      shown = line;
    };
    while (signal?.aborted !== true) {
      const began = performance.now();
      const failure = await check(options);
      if (failure !== undefined) {
        const refusal = await pauseUpdate(client, options, failure);
        if (refusal === undefined) {
          print(`paused ${name}: ${failure}`);
          return 2;
        }
        // There is nothing left to pause, so a pulse does no harm, and its answer says which it is.
        if (refusal.isOver) {
          const status = await onePulse(client, options.target);
          print(`${name}: the check failed (${failure}), and the update ${status.text}`);
          return status.exitCode ?? 1;
        }
        say(`the check failed, but the update could not be paused (${refusal.why}); trying again`);
      } else {
        const status = await onePulse(client, options.target);
        say(`${name}: ${status.text}`);
        if (status.exitCode !== undefined) return status.exitCode;
      }
      await pause(Math.max(0, intervalMs - (performance.now() - began)), signal);
    }
    return 0;
  } finally {
    client.close();
  }
}

function nameOf(target: PulseTarget): string {
  return target.job === undefined ? target.id : updateKeyText(target);
}

async function onePulse(
  client: AuroraClient,
  target: PulseTarget,
): Promise<{ text: string; exitCode?: number }> {
  const byKey = target.job !== undefined;
  const response = byKey
    ? await callSafely<Pulsed>(client, 'pulseJobUpdate', { key: target })
    : await callSafely<Heard>(client, 'heartbeatJobUpdate', { updateId: target.id });
  if (response instanceof ClientError) {
    const text = `not pulsed: ${response.message}`;
    return response.status === 401 ? { text, exitCode: 1 } : { text };
  }
  const { responseCode, result } = response;
  if (responseCode === 'AUTH_FAILED') {
    return { text: `not pulsed: ${detailsOf(response)}`, exitCode: 1 };
  }
  if (responseCode === 'INVALID_REQUEST') {
    return { text: `unknown update: ${detailsOf(response)}`, exitCode: 1 };
  }
  if (responseCode !== 'OK') return { text: `not pulsed: ${detailsOf(response)}` };
  const status =
    result && ('status' in result ? result.status : result.pulseJobUpdateResult.status);
  if (status === 'FINISHED') return { text: 'needs no more pulses', exitCode: 0 };
  return { text: status === 'PAUSED' ? 'pulsed, but somebody paused it' : 'pulsed' };
}

interface Pulsed {
  readonly pulseJobUpdateResult: Heard;
}

interface Heard {
  readonly status: string;
}

interface Refusal {
  readonly why: string;
  /** The update has ended, or there never was one: trying again is of no use. */
  readonly isOver: boolean;
}

/** Undefined when it is paused, else why not. */
async function pauseUpdate(
  client: AuroraClient,
  { target }: PulseOptions,
  message: string,
): Promise<Refusal | undefined> {
  const key = target.job === undefined ? await findKey(client, target.id) : target;
  if ('why' in key) return key;
  const response = await callSafely(client, 'pauseJobUpdate', { key, message });
  if (response instanceof ClientError) return { why: response.message, isOver: false };
  if (response.responseCode === 'OK') return undefined;
  return { why: detailsOf(response), isOver: response.responseCode === 'INVALID_REQUEST' };
}

interface Found {
  readonly updates: readonly { readonly key: JobUpdateKey }[];
}

/** The key of an active update, which a pause needs, or why there is none. */
async function findKey(client: AuroraClient, id: string): Promise<JobUpdateKey | Refusal> {
  const query = { updateIds: [id] };
  const response = await callSafely<Found>(client, 'getJobUpdateBlockers', { query });
  if (response instanceof ClientError) return { why: response.message, isOver: false };
  if (response.responseCode !== 'OK') return { why: detailsOf(response), isOver: false };
  return (
    response.result?.updates[0]?.key ?? {
      why: 'there is no active update with that id',
      isOver: true,
    }
  );
}

async function callSafely<Result>(
  client: AuroraClient,
  method: string,
  args: Readonly<Record<string, unknown>>,
): Promise<ApiResponse<Result> | ClientError> {
  try {
    return await client.call<Result>(method, args);
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
}

function detailsOf(response: ApiResponse<unknown>): string {
  return response.details.map((detail) => detail.message ?? '').join(', ') || response.responseCode;
}

/** Undefined while all is well; else what to tell the operators. */
function check({ command, timeoutMs }: PulseOptions): Promise<string | undefined> {
  const [program, ...args] = command;
  if (program === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    let lastLine = '';
    // A group of its own, so that what the command has started ends with it.
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const timer = setTimeout(() => {
      killGroup(child.pid);
      end(`${program} took longer than ${timeoutMs} ms`);
    }, timeoutMs);
    const read = (piece: Buffer): void => {
      lastLine = lastLineOf(lastLine + piece.toString());
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    const end = (problem: string | undefined): void => {
      clearTimeout(timer);
      resolve(problem?.slice(0, MAX_MESSAGE));
    };
    child.on('error', (error) => end(`${program} could not be run: ${error.message}`));
    child.on('close', (code, killedBy) => {
      if (code === 0) end(undefined);
      else end(lastLine.trim() || `${program} ended with ${code ?? killedBy}`);
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** The last line with anything in it, and what may become the next one; bounded. */
function lastLineOf(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const last = lines[lines.length - 1] ?? '';
  return `${last.slice(-4 * MAX_MESSAGE)}${text.endsWith('\n') ? '\n' : ''}`;
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
