/** Where aurora-shim keeps its data when nobody says otherwise (operations.md §5.1, `--data_dir`). */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The facts the choice depends on. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly isRoot: boolean;
  readonly home: string;
  readonly xdgDataHome: string | undefined;
}

/**
 * The platform's folder for application data, `aurora-shim` below it:
 *
 * - `$XDG_DATA_HOME` where it is set to an absolute path, whoever asks;
 * - root: `/var/lib/aurora-shim`, because Postgres runs as another user then (src/store/embedded/account.ts), who as a
 *   rule may not enter root's home;
 * - macOS: `~/Library/Application Support/aurora-shim`;
 * - otherwise `~/.local/share/aurora-shim`.
 */
export function chooseDataDir(where: Machine): string {
  if (where.xdgDataHome?.startsWith('/')) return join(where.xdgDataHome, 'aurora-shim');
  if (where.isRoot) return '/var/lib/aurora-shim';
  if (where.platform === 'darwin') {
    return join(where.home, 'Library', 'Application Support', 'aurora-shim');
  }
  return join(where.home, '.local', 'share', 'aurora-shim');
}

/** The choice for this process. */
export function defaultDataDir(env: Readonly<Record<string, string | undefined>>): string {
  return chooseDataDir({
    platform: process.platform,
    isRoot: isRoot(),
    home: homedir(),
    xdgDataHome: env['XDG_DATA_HOME'],
  });
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}
