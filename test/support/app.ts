/**
 * The whole scheduler in this process, on a test database and a free port: for tests that talk HTTP to it
 * and need not kill it (server-process.ts does that).
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startApp } from '../../src/app.js';
import { parseConfig } from '../../src/config/parse.js';
import type { Config } from '../../src/config/flags.js';
import { silentLog } from '../../src/observe/log.js';
import { surroundings } from '../../src/settings.js';
import type { ClientOptions } from '../../src/wire/client.js';
import { AuroraClient } from '../../src/wire/client.js';
import type { TestDatabase } from './database.js';
import { createTestDatabase } from './database.js';
import { compiledProgram, endLocalTasks, newTestDir } from './server-process.js';

export interface TestAppOptions {
  readonly backend?: 'simulated' | 'local';
  /** As on the command line. */
  readonly flags?: readonly string[];
}

export interface TestApp extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly config: Config;
  readonly database: TestDatabase;
  client(options?: Partial<ClientOptions>): AuroraClient;
  /** The exit code it asked its process to end with, if it did. */
  readonly endedWith: number | undefined;
  /** Stops it with everything below it; its database goes, too. */
  stop(): Promise<void>;
}

export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { backend = 'simulated' } = options;
  const database = await createTestDatabase();
  const dataDir = newTestDir('app');
  const config = configOf([
    ...[`--backend=${backend}`, '--http_port=0', '--nosetuid=true', `--data_dir=${dataDir}`],
    `--database_url=${database.url}`,
    ...(options.flags ?? []),
  ]);
  let endedWith: number | undefined;
  const start = await startOf(backend);
  const app = await start({
    config,
    log: silentLog,
    end: (exitCode) => (endedWith ??= exitCode),
    abort: () => (endedWith ??= 0),
  });
  const url = `http://${config.ip}:${app.port}`;
  const clients: AuroraClient[] = [];
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    for (const client of clients) client.close();
    await app.stop();
    await endLocalTasks(join(dataDir, 'tasks'));
    rmSync(dataDir, { recursive: true, force: true });
    await database.drop();
  };
  return {
    ...{ url, port: app.port, config, database },
    get endedWith() {
      return endedWith;
    },
    client: (more = {}) => {
      const client = new AuroraClient({ url, ...more });
      clients.push(client);
      return client;
    },
    stop: () => (stopped ??= stop()),
    [Symbol.asyncDispose]: () => (stopped ??= stop()),
  };
}

function configOf(argv: readonly string[]): Config {
  const parsed = parseConfig(argv, {}, () => '', surroundings());
  if ('errors' in parsed) throw new Error(parsed.errors.join('\n'));
  return parsed.config;
}

/** The local backend runs a compiled script for each task, which lies beside it in a compiled program only. */
async function startOf(backend: 'simulated' | 'local'): Promise<typeof startApp> {
  if (backend === 'simulated') return startApp;
  const path = join(await compiledProgram(), 'src', 'app.js');
  return ((await import(path)) as { startApp: typeof startApp }).startApp;
}
