#!/usr/bin/env node
/** Command line to exit code: reads arguments, runs one command, and alone ends the process. */
import { readFileSync } from 'node:fs';
import { startApp } from './app.js';
import { DEMO_HELP, demo } from './commands/demo.js';
import { migrateDatabase } from './commands/migrate.js';
import { PULSE_HELP, parsePulse, pulse } from './commands/pulse.js';
import type { Config } from './config/flags.js';
import { helpText, wantsHelp } from './config/help.js';
import { parseConfig } from './config/parse.js';
import { createLog } from './observe/log.js';
import { surroundings, unsupported, withoutEffect } from './settings.js';

const USAGE = `Usage: aurora-shim COMMAND [options]

  serve      serve the API; --help lists the flags
  migrate    bring the database schema up to date and end
  pulse      pulse a coordinated update, while a check succeeds
  demo       see a coordinated update at work, on this machine

aurora-shim COMMAND --help tells more.
`;

/** How long an orderly stop may take before the process ends anyway, ms. */
const STOP_LIMIT_MS = 15_000;

function complain(...lines: string[]): number {
  for (const line of lines) process.stderr.write(`aurora-shim: ${line}\n`);
  return 1;
}

/** The configuration, or the exit code after what is wrong has been said. */
function configure(argv: readonly string[]): Config | number {
  const help = wantsHelp(argv);
  if (help !== undefined) {
    process.stdout.write(helpText(help));
    return 0;
  }
  const readFile = (path: string): string => readFileSync(path, 'utf8');
  const parsed = parseConfig(argv, process.env, readFile, surroundings());
  if ('errors' in parsed) {
    return complain(...parsed.errors, 'aurora-shim serve --help lists the flags');
  }
  const refused = unsupported(parsed.config);
  if (refused.length > 0) return complain(...refused);
  for (const warning of [...parsed.warnings, ...withoutEffect(parsed.config)]) {
    process.stderr.write(`aurora-shim: warning: ${warning}\n`);
  }
  return parsed.config;
}

async function serve(argv: readonly string[]): Promise<number> {
  const config = configure(argv);
  if (typeof config === 'number') return config;
  const log = createLog({ level: config.log_level });
  let end: (exitCode: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  // Kept: a Ctrl-C reaches us from the terminal and once more from npm, and the second must not kill.
  process.on('SIGTERM', () => end(0));
  process.on('SIGINT', () => end(0));
  const app = await startApp({ config, log, end, abort: () => process.exit(0) });
  log.info(
    { url: `http://${config.ip}:${app.port}`, backend: config.backend, dataDir: config.data_dir },
    'serving',
  );
  const exitCode = await ended;
  log.info({}, 'stopping');
  setTimeout(() => process.exit(exitCode), STOP_LIMIT_MS).unref();
  await app.stop();
  log.info({}, 'stopped');
  return exitCode;
}

async function runMigrate(argv: readonly string[]): Promise<number> {
  const config = configure(argv);
  if (typeof config === 'number') return config;
  process.stdout.write(`${await migrateDatabase(config)}\n`);
  return 0;
}

async function runPulse(argv: readonly string[]): Promise<number> {
  if (wantsHelp(argv) !== undefined) {
    process.stdout.write(PULSE_HELP);
    return 0;
  }
  const stop = new AbortController();
  process.on('SIGINT', () => stop.abort());
  process.on('SIGTERM', () => stop.abort());
  return pulse(
    parsePulse(argv, process.env),
    (line) => process.stdout.write(`${line}\n`),
    stop.signal,
  );
}

async function runDemo(argv: readonly string[]): Promise<number> {
  if (wantsHelp(argv) !== undefined) {
    process.stdout.write(DEMO_HELP);
    return 0;
  }
  return demo(argv, { mainScript: __filename });
}

async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case 'serve':
      return serve(rest);
    case 'migrate':
      return runMigrate(rest);
    case 'pulse':
      return runPulse(rest);
    case 'demo':
      return runDemo(rest);
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(USAGE);
      return 0;
    case undefined:
      process.stderr.write(USAGE);
      return 1;
    default:
      return complain(`there is no command ${command}`, 'aurora-shim help lists them');
  }
}

main(process.argv.slice(2)).then(
  (exitCode) => process.exit(exitCode),
  (error: unknown) => {
    process.exit(complain(error instanceof Error ? error.message : String(error)));
  },
);
