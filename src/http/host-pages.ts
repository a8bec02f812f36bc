/** `/maintenance`, `/agents` and `/slaves`: hosts for operators' eyes and scripts (operations.md §3). */
import { type Reply, type Routes } from './server.js';

/** A host the backend has reported. */
export interface ShownHost {
  readonly host: string;
  readonly agentId: string;
  readonly mode: 'NONE' | 'SCHEDULED' | 'DRAINING' | 'DRAINED';
  readonly attributes: Readonly<Record<string, readonly string[]>>;
  /** Ids of the tasks it still has; only where it is DRAINING. */
  readonly taskIds: readonly string[];
}

/** @param hosts all of them, by name, as they are at the moment */
export function hostRoutes(hosts: () => Promise<readonly ShownHost[]>): Routes {
  const agents = { GET: async () => agentsPage(await hosts()) };
  return {
    '/maintenance': { GET: async () => maintenance(await hosts()) },
    '/agents': agents,
    '/slaves': agents,
  };
}

function maintenance(hosts: readonly ShownHost[]): Reply {
  const inMode = (mode: ShownHost['mode']): ShownHost[] => hosts.filter((h) => h.mode === mode);
  const draining = inMode('DRAINING').filter(({ taskIds }) => taskIds.length > 0);
  const body = JSON.stringify({
    DRAINED: inMode('DRAINED').map(({ host }) => host),
    SCHEDULED: inMode('SCHEDULED').map(({ host }) => host),
    DRAINING: Object.fromEntries(draining.map(({ host, taskIds }) => [host, taskIds])),
  });
  return { status: 200, type: 'application/json', body };
}

const AGENT_PORT = 1338;

function agentsPage(hosts: readonly ShownHost[]): Reply {
  const rows = hosts.map(({ host, agentId, mode, attributes }) => {
    const texts = Object.entries(attributes)
      .map(([name, values]) => `${name}=[${values.join(',')}]`)
      .sort();
    const url = `http://${encodeURIComponent(host)}:${AGENT_PORT}`;
    const cells = [`<a href="${url}">${escape(host)}</a>`, ...[agentId, mode].map(escape)];
    return `<tr>${[...cells, escape(texts.join(', '))].map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const body = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Agents</title>
<table>
<tr><th>Host</th><th>Agent id</th><th>Maintenance mode</th><th>Attributes</th></tr>
${rows.join('\n')}
</table>
</html>
`;
  return { status: 200, type: 'text/html; charset=utf-8', body };
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
