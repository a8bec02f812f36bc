/** Where aurora-shim keeps its data when nobody says otherwise (operations.md §5.1, `--data_dir`). */
import { join } from 'node:path';

/** The facts the choice depends on; taken from the process by default, given by tests. */
export interface Surroundings {
  readonly platform: NodeJS.Platform;
  readonly isRoot: boolean;
  readonly home: string;
  readonly xdgDataHome: string | undefined;
}

/**
 * The platform's folder for application data, `aurora-shim` below it:
 *
 * - `$XDG_DATA_HOME` where it is set to an absolute path, whoever asks;
 * - root: `/var/lib/aurora-shim`, because the server runs as another user (see account.ts), who as a
 *   rule may not enter root's home;
 * - macOS: `~/Library/Application Support/aurora-shim`;
 * - otherwise `~/.local/share/aurora-shim`.
 */
export function chooseDataDir(where: Surroundings): string {
  if (where.xdgDataHome?.startsWith('/')) return join(where.xdgDataHome, 'aurora-shim');
  if (where.isRoot) return '/var/lib/aurora-shim';
  if (where.platform === 'darwin') {
    return join(where.home, 'Library', 'Application Support', 'aurora-shim');
  }
  return join(where.home, '.local', 'share', 'aurora-shim');
}
