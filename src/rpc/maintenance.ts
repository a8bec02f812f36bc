/** startMaintenance, drainHosts, slaDrainHosts, maintenanceStatus and endMaintenance (rpc.md §12). */
import { RefusedError } from '../core/errors.js';
import type { SlaPolicy } from '../core/model/config.js';
import type { HostStatus } from '../engine/maintenance.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { countWork, given } from './deps.js';
import type { Caller, RpcArguments, RpcMethod } from './outcome.js';
import { ok } from './outcome.js';

/**
 * The hosts to be dealt with; an empty set is one of no hosts.
 *
 * @throws RefusedError ERROR for a missing argument, and for one without host names
 */
function namesOf(args: RpcArguments): readonly string[] {
  const { hostNames } = given<{ hostNames?: readonly string[] }>(args, 'hosts');
  if (hostNames === undefined) throw new RefusedError('ERROR', 'hosts.hostNames must be set');
  return hostNames;
}

export function maintenanceMethods(deps: RpcDeps): RpcMethods {
  const { maintenance } = deps.engine;

  /** A method that answers with the modes of those of its hosts that are known. */
  const method =
    (
      name: string,
      member: string,
      work: (
        names: readonly string[],
        caller: Caller,
        args: RpcArguments,
      ) => Promise<readonly HostStatus[]>,
    ): RpcMethod =>
    async (args, caller) => {
      const names = namesOf(args);
      const statuses = await work(names, caller, args);
      countWork(deps, name, names.length);
      return ok({ [member]: { statuses } });
    };

  return {
    startMaintenance: method('startMaintenance', 'startMaintenanceResult', (names, { user }) =>
      maintenance.announce(names, user),
    ),

    drainHosts: method('drainHosts', 'drainHostsResult', (names, { user }) =>
      maintenance.drain(names, user),
    ),

    /** Neither policy nor timeout is validated; one that is not set is none, and 0. */
    slaDrainHosts: method('slaDrainHosts', 'drainHostsResult', (names, { user }, args) => {
      const policy = args['defaultSlaPolicy'] as SlaPolicy | undefined;
      const timeoutSecs = (args['timeoutSecs'] as number | undefined) ?? 0;
      const request = { timeoutSecs, ...(policy === undefined ? {} : { policy }) };
      return maintenance.drainWithSla(names, request, user);
    }),

    maintenanceStatus: method('maintenanceStatus', 'maintenanceStatusResult', (names) =>
      maintenance.statuses(names),
    ),

    endMaintenance: method('endMaintenance', 'endMaintenanceResult', (names, { user }) =>
      maintenance.end(names, user),
    ),
  };
}
