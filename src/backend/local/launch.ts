/** One run of one process: argv, environment, user, output (thermos.md §2.5 to §2.7). */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessPlan } from '../../core/thermos/plan.js';
import { openOutput } from './logs.js';
import type { TaskSpec } from './task-dir.js';

/** How the direct child ended: its exit code, or the signal that killed it, or why it never came up. */
export type Ending =
  { readonly code: number } | { readonly signal: NodeJS.Signals } | { readonly error: string };

export interface Launched {
  /** Undefined when it could not be started; `ended` tells why. */
  readonly pid: number | undefined;
  readonly ended: Promise<Ending>;
  /** Its output has been written, as far as it went through us. */
  readonly drained: Promise<unknown>;
}

export function launch(
  process_: ProcessPlan,
  run: number,
  spec: TaskSpec,
  sandbox: string,
): Launched {
  const { become } = spec.user;
  let output: ReturnType<typeof openOutput>;
  let child: ChildProcess;
  try {
    const logDir = join(sandbox, '.logs', process_.name, String(run));
    output = openOutput(process_.logger ?? spec.logger, logDir, become);
  } catch (error) {
    return failed(error);
  }
  try {
    const [file, ...args] = command(process_.cmdline, spec);
    const options: SpawnOptions = {
      cwd: sandbox,
      env: environment(spec, sandbox),
      stdio: output.stdio,
      detached: true, // its own session (setsid), so that its whole group can be killed
      ...(become !== undefined &&
        become.setpriv === undefined && { uid: become.uid, gid: become.gid }),
    };
    child = spawn(file, args, options);
  } catch (error) {
    output.attach(null, null);
    return failed(error);
  }
  output.attach(child.stdout, child.stderr);
  const ended = new Promise<Ending>((resolve) => {
    child.on('error', (error) => {
      if (child.pid === undefined) resolve({ error: error.message });
    });
    child.on('exit', (code, signal) => resolve(signal !== null ? { signal } : { code: code ?? 0 }));
  });
  return { pid: child.pid, ended, drained: output.drained };
}

function failed(error: unknown): Launched {
  const text = error instanceof Error ? error.message : String(error);
  return {
    pid: undefined,
    ended: Promise.resolve({ error: text }),
    drained: Promise.resolve(),
  };
}

/** `setpriv` replaces itself by the shell, so pid and session stay; it alone can set supplementary groups. */
function command(cmdline: string, { user, shell }: TaskSpec): [string, ...string[]] {
  const { become } = user;
  if (become?.setpriv === undefined) return [shell, '-c', cmdline];
  const ids = [`--reuid=${become.uid}`, `--regid=${become.gid}`];
  const groups =
    become.groups.length > 0 ? `--groups=${become.groups.join(',')}` : '--clear-groups';
  return [become.setpriv, ...ids, groups, '--', shell, '-c', cmdline];
}

/** Exactly this and nothing else, unless the operator asked for the shim's own environment beneath it. */
function environment(spec: TaskSpec, sandbox: string): NodeJS.ProcessEnv {
  const profile = join(sandbox, '.thermos_profile');
  return {
    ...(spec.preserveEnv && process.env),
    HOME: sandbox,
    USER: spec.user.name,
    LOGNAME: spec.user.name,
    PATH: spec.path,
    ...(existsSync(profile) && { BASH_ENV: profile }),
  };
}
