/** A server of its own process for a benchmark: the CPU time it used, and what a stretch of work costs it. */
import { fork, type ChildProcess } from 'node:child_process';
import { watch, type Watched } from './watch.js';

/** What a child says: its port once, then what it is asked for. */
export type FromServer =
  | { readonly port: number; readonly start?: Watched & { readonly ms: number } }
  | { readonly cpuMicros: number }
  | { readonly watching: true }
  | { readonly watched: Watched };

export class BenchServer {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
    /** What its start cost, where the script measured it. */
    readonly started: (Watched & { readonly ms: number }) | undefined,
  ) {}

  static async start(script: string, args: readonly string[] = []): Promise<BenchServer> {
    const child = fork(script, [...args], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: ['--expose-gc'],
    });
    const first = await next(child);
    if (!('port' in first)) throw new Error('the server did not say its port');
    return new BenchServer(child, first.port, first.start);
  }

  /** User and system time since its start, microseconds. */
  async cpuMicros(): Promise<number> {
    this.child.send('cpu');
    const answer = await next(this.child);
    if (!('cpuMicros' in answer)) throw new Error('the server did not say its CPU time');
    return answer.cpuMicros;
  }

  /** What the work costs the server's process, and what the work came to. */
  async watched<T>(
    work: () => Promise<T>,
    what: 'memory' | 'time' = 'memory',
  ): Promise<Watched & { readonly result: T }> {
    this.child.send(`watch ${what}`);
    await next(this.child);
    const result = await work();
    this.child.send('watched');
    const answer = await next(this.child);
    if (!('watched' in answer)) throw new Error('the server did not say what it saw');
    return { ...answer.watched, result };
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.send('stop');
    await gone;
  }
}

function next(child: ChildProcess): Promise<FromServer> {
  return new Promise((resolve, reject) => {
    const exited = (code: number | null): void =>
      reject(new Error(`the server ended with ${code}`));
    child.once('exit', exited);
    child.once('message', (message) => {
      child.off('exit', exited);
      resolve(message as FromServer);
    });
  });
}

/** The child's side: says the port, answers what it is asked, stops when told. */
export function serveBench(
  port: number,
  stop: () => Promise<void>,
  start?: Watched & { readonly ms: number },
): void {
  let end: (() => Watched) | undefined;
  const say = (what: FromServer): void => void process.send?.(what);
  process.on('message', (message) => {
    if (message === 'stop') {
      void stop().finally(() => process.disconnect());
    } else if (message === 'watch memory' || message === 'watch time') {
      end = watch(message === 'watch time' ? 'time' : 'memory');
      say({ watching: true });
    } else if (message === 'watched') {
      if (end !== undefined) say({ watched: end() });
    } else {
      const { user, system } = process.cpuUsage();
      say({ cpuMicros: user + system });
    }
  });
  say(start === undefined ? { port } : { port, start });
}
