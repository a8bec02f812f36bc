/** The operators' endpoints: health, variables, metrics, shutdown (operations.md §2.2, §3). */
import type { Metrics } from '../observe/metrics.js';
import { renderVars, renderVarsJson, type Stats } from '../observe/stats.js';
import { plain, type Reply, type RouteHandler, type RouteRequest, type Routes } from './server.js';

/** Whether this scheduler leads, another does, or nobody (operations.md §2.2). */
export type LeaderStatus = 'LEADING' | 'NOT_LEADING' | 'NO_LEADER';

export interface OperatorOptions {
  readonly clusterName: string;
  readonly leaderStatus: () => LeaderStatus;
  readonly stats: Stats;
  readonly metrics: Metrics;
  /** Starts an orderly shutdown; called after the caller has its answer. */
  readonly quit: () => void;
  /** Halts the process at once; the caller gets no answer. */
  readonly abort: () => void;
  /**
   * Whether a caller may use the last two: 200, or the status to refuse with. Without it everybody may,
   * as in the reference.
   */
  readonly mayControl?: (request: RouteRequest) => 200 | 401 | 403;
}

const LEADER_HEALTH: Readonly<Record<LeaderStatus, readonly [status: number, text: string]>> = {
  LEADING: [200, 'This scheduler is the leader.'],
  NOT_LEADING: [503, 'Another scheduler is the leader.'],
  NO_LEADER: [502, 'No scheduler is the leader at the moment.'],
};

/** Routes for startHttpServer. */
export function operatorRoutes(options: OperatorOptions): Routes {
  const { stats, metrics } = options;
  return {
    '/': { GET: () => html(frontPage(options.clusterName)) },
    '/health': { GET: () => plain(200, 'OK\n') },
    '/leaderhealth': {
      GET: () => {
        const [status, text] = LEADER_HEALTH[options.leaderStatus()];
        return plain(status, `${text} 200: leader; 503: another leads; 502: nobody leads.\n`);
      },
    },
    '/vars': { GET: () => plain(200, renderVars(stats.snapshot())) },
    '/vars.json': {
      GET: ({ query }) => ({
        status: 200,
        type: 'application/json',
        body: renderVarsJson(stats.snapshot(), query.get('pretty') === 'true'),
      }),
    },
    '/metrics': {
      GET: async () => {
        const { contentType, body } = await metrics.render();
        return { status: 200, type: contentType, body };
      },
    },
    '/quitquitquit': {
      POST: guarded(options, () => ({
        ...plain(200, 'Shutting down.\n'),
        afterwards: options.quit,
      })),
    },
    '/abortabortabort': {
      POST: guarded(options, () => {
        options.abort();
        return undefined;
      }),
    },
  };
}

function guarded({ mayControl }: OperatorOptions, handler: () => Reply | undefined): RouteHandler {
  return (request) => {
    const verdict = mayControl?.(request) ?? 200;
    if (verdict === 200) return handler();
    return plain(verdict, verdict === 401 ? 'Log in first.\n' : 'You may not do this.\n');
  };
}

const html = (body: string): Reply => ({ status: 200, type: 'text/html; charset=utf-8', body });

function frontPage(clusterName: string): string {
  const name = clusterName.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>${name} – aurora-shim</title>
<p>This is aurora-shim, the scheduler of cluster <b>${name}</b>. It serves Apache Aurora’s Thrift API at
<code>/api</code>. For people: <a href="/vars">/vars</a>, <a href="/metrics">/metrics</a>,
<a href="/health">/health</a>, <a href="/leaderhealth">/leaderhealth</a>.</p>
</html>
`;
}
