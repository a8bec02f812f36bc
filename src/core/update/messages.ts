/**
 * Texts the update engine writes into events (updates.md, "Message constants"). Their wording is ours;
 * no known client matches on it, tests compare with these constants. The text of a kill is a task's message
 * and stands with those (core/task/messages.ts, killedForUpdate).
 */
export const MSG_GATE_TIMEOUT = 'Blocked: no fresh pulse from the update coordinator.';
export const MSG_AUTO_PAUSED =
  'Paused automatically after a batch; resume to release the next one.';
export const MSG_NOOP = 'Nothing to update: the job already matches the request.';
export const MSG_SLA_CHECK = 'Waiting for the SLA check before the kill.';
export const MSG_SLA_PASS = 'SLA check passed.';

export function msgInstanceFailed(instanceId: number): string {
  return `Instance ${instanceId} failed more often than the update allows.`;
}

export function msgInternal(problem: string): string {
  return `The update cannot go on: ${problem}`;
}
