/** Backups, recovery from one, and snapshot (rpc.md §12, §12.1). */
import { RefusedError, TransientError, UnknownOutcomeError } from '../core/errors.js';
import { scheduledTask } from '../core/model/task.js';
import type { ApiTaskQuery } from '../core/validate/query.js';
import { taskQueryProblem } from '../core/validate/query.js';
import type { Backups } from '../engine/backups.js';
import type { Recovery } from '../engine/recovery.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { given, refuseIf } from './deps.js';
import { ok } from './outcome.js';

/** Here an unset query is an empty one: every staged task. */
function queryOf(args: Readonly<Record<string, unknown>>): ApiTaskQuery {
  const query = (args['query'] as ApiTaskQuery | undefined) ?? {};
  refuseIf(taskQueryProblem(query));
  return query;
}

/** Failures of these calls are ERROR, not to be sent again by themselves; less what only a leader answers. */
function failed(what: string, error: unknown, leads: boolean): unknown {
  if (error instanceof UnknownOutcomeError) return error;
  if (error instanceof TransientError && !leads) return error;
  return new RefusedError('ERROR', `${what}: ${(error as Error).message}`);
}

export function recoveryMethods({ engine }: RpcDeps): RpcMethods {
  const { db } = engine.options;

  function backups(): Backups {
    if (engine.backups === undefined) throw new RefusedError('ERROR', 'there is no backup folder');
    return engine.backups;
  }

  function recovery(): Recovery {
    if (engine.recovery === undefined) throw new RefusedError('ERROR', 'there is no backup folder');
    return engine.recovery;
  }

  return {
    /** Answers when the backup is written; unlike the reference, ERROR when it was not. */
    async performBackup() {
      try {
        await backups().write();
      } catch (error) {
        throw failed('the backup could not be written', error, db.mayAct());
      }
      return ok();
    },

    async listBackups() {
      try {
        return ok({ listBackupsResult: { backups: await backups().list() } });
      } catch (error) {
        throw failed('--backup_dir cannot be read', error, db.mayAct());
      }
    },

    async stageRecovery(args, caller) {
      await recovery().stage(given<string>(args, 'backupId'), caller.user);
      return ok();
    },

    async queryRecovery(args) {
      const found = await recovery().find(queryOf(args));
      const tasks = found.map(({ task, config }) => scheduledTask(task, config));
      return ok({ queryRecoveryResult: { tasks } });
    },

    async deleteRecoveryTasks(args) {
      await recovery().deleteTasks(queryOf(args));
      return ok();
    },

    /** The process ends once this is answered. */
    async commitRecovery(_args, caller) {
      await recovery().commit(caller.user);
      return ok();
    },

    async unloadRecovery() {
      await recovery().unload();
      return ok();
    },

    /** Postgres needs none: one round trip tells whether it takes our writes. */
    async snapshot() {
      try {
        await db.write({}, async () => undefined);
      } catch (error) {
        throw failed('the database cannot be written', error, db.mayAct());
      }
      return ok();
    },
  };
}
