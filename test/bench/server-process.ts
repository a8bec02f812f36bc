/** A server of its own process for a benchmark, and the CPU time it used. */
import { fork, type ChildProcess } from 'node:child_process';

/** What a child says: its port once, then its CPU time whenever asked. */
export type FromServer = { readonly port: number } | { readonly cpuMicros: number };

export class BenchServer {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static async start(script: string, args: readonly string[] = []): Promise<BenchServer> {
    const child = fork(script, [...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const first = await next(child);
    if (!('port' in first)) throw new Error('the server did not say its port');
    return new BenchServer(child, first.port);
  }

  /** User and system time since its start, microseconds. */
  async cpuMicros(): Promise<number> {
    this.child.send('cpu');
    const answer = await next(this.child);
    if (!('cpuMicros' in answer)) throw new Error('the server did not say its CPU time');
    return answer.cpuMicros;
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

/** The child's side: says the port, answers for its CPU time, stops when told. */
export function serveBench(port: number, stop: () => Promise<void>): void {
  process.on('message', (message) => {
    if (message === 'stop') {
      void stop().finally(() => process.disconnect());
      return;
    }
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicros: user + system } satisfies FromServer);
  });
  process.send?.({ port } satisfies FromServer);
}
