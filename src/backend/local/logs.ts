/** Where the output of a run goes (thermos.md §2.6). */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { LoggerPlan } from '../../core/thermos/plan.js';
import { asOwner, type Owner } from './as-user.js';

/** What to give `spawn`, and what to do with the pipes it makes. */
export interface RunOutput {
  readonly stdio: ['ignore', Stdio, Stdio];
  /** Call once the process is spawned or could not be. */
  readonly attach: (stdout: Readable | null, stderr: Readable | null) => void;
  /** Resolves when both pipes have ended; at once where there are none. */
  readonly drained: Promise<unknown>;
}
type Stdio = number | 'ignore' | 'pipe' | 'inherit';

/**
 * Plain files are written by the process itself, so that nothing stands between it and its log; only `both`
 * and rotation go through the supervisor. `dir` is made where files are written; `owner`, if given, owns it all.
 */
export function openOutput(logger: LoggerPlan, dir: string, owner: Owner | undefined): RunOutput {
  const { destination, mode } = logger;
  const done = Promise.resolve();
  if (destination === 'none' || destination === 'console') {
    const stdio = destination === 'none' ? 'ignore' : 'inherit';
    return { stdio: ['ignore', stdio, stdio], attach: () => {}, drained: done };
  }
  const rotate = mode === 'rotate' ? logger.rotate : undefined;
  const files = asOwner(owner, () => {
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    return ['stdout', 'stderr'].map((name) => new LogFile(join(dir, name), rotate, owner));
  }) as [LogFile, LogFile];
  if (destination === 'file' && rotate === undefined) {
    const [out, err] = files;
    return {
      stdio: ['ignore', out.fd, err.fd],
      attach: () => files.forEach((file) => file.close()),
      drained: done,
    };
  }
  let drained = (): void => {};
  const copies = destination === 'both' ? ([1, 2] as const) : [undefined, undefined];
  return {
    stdio: ['ignore', 'pipe', 'pipe'],
    drained: new Promise<void>((resolve) => (drained = resolve)),
    attach: (stdout, stderr) => {
      const streams = [stdout, stderr].map((stream, at) =>
        pump(stream, files[at] as LogFile, copies[at]),
      );
      void Promise.all(streams).then(drained);
    },
  };
}

function pump(stream: Readable | null, file: LogFile, copy: number | undefined): Promise<void> {
  if (stream === null) {
    file.close();
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      try {
        file.write(chunk);
        if (copy !== undefined) writeSync(copy, chunk);
      } catch {
        // A full disk loses output, never the task.
      }
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      file.close();
      resolve();
    });
  });
}

/** One log; with `rotate` shifted to `.1`, `.2` … whenever it has reached its size. */
class LogFile {
  fd: number;
  #size: number;
  #open = true;

  constructor(
    private readonly path: string,
    private readonly rotate: LoggerPlan['rotate'] | undefined,
    private readonly owner: Owner | undefined,
  ) {
    this.fd = openSync(path, 'a', 0o644);
    this.#size = rotate === undefined ? 0 : fstatSync(this.fd).size;
  }

  write(chunk: Buffer): void {
    if (!this.#open) return;
    for (let rest = chunk; rest.length > 0;) {
      const room = this.rotate === undefined ? rest.length : this.rotate.logSize - this.#size;
      const written = writeSync(this.fd, rest, 0, Math.min(rest.length, Math.max(room, 1)));
      this.#size += written;
      rest = rest.subarray(written);
      if (this.rotate !== undefined && this.#size >= this.rotate.logSize) {
        this.#shift(this.rotate.backups);
      }
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
  }

  #shift(backups: number): void {
    closeSync(this.fd);
    this.fd = asOwner(this.owner, () => {
      rmSync(`${this.path}.${backups}`, { force: true });
      for (let at = backups - 1; at >= 0; at--) {
        const from = at === 0 ? this.path : `${this.path}.${at}`;
        if (existsSync(from)) renameSync(from, `${this.path}.${at + 1}`);
      }
      return openSync(this.path, 'a', 0o644);
    });
    this.#size = 0;
  }
}
