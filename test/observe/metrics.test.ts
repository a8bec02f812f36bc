/** operations.md §4.2: what Prometheus sees. */
import { Metrics } from '../../src/observe/metrics.js';
import { Stats } from '../../src/observe/stats.js';

async function lines(metrics: Metrics): Promise<string[]> {
  return (await metrics.render()).body.split('\n').filter((line) => !line.startsWith('#'));
}

test('variables appear under their Prometheus names, and all of them as aurora_var', async () => {
  const stats = new Stats();
  const metrics = new Metrics(stats);
  stats.gauge('task_store_RUNNING', () => 3);
  stats.gauge('framework_registered', () => 1);
  stats.increment('update_transition_ROLLING_FORWARD', 2);
  stats.increment('update_instance_transition_INSTANCE_UPDATED', 5);
  stats.increment('webhooks_user_errors');
  stats.gauge('text', () => 'no number');
  stats.gauge('sla_www/prod/web_mtta_ms', () => 1);

  const shown = await lines(metrics);
  expect(shown).toEqual(
    expect.arrayContaining([
      'aurora_tasks{status="RUNNING"} 3',
      'aurora_leader 1',
      'aurora_job_update_transitions_total{status="ROLLING_FORWARD"} 2',
      'aurora_job_update_instance_transitions_total{action="INSTANCE_UPDATED"} 5',
      'aurora_webhook_deliveries_total{result="user_errors"} 1',
      'aurora_var{name="task_store_RUNNING"} 3',
    ]),
  );
  expect(shown.join('\n')).not.toMatch(/sla_|no number/);

  stats.increment('update_transition_ROLLING_FORWARD');
  expect(await lines(metrics)).toContain(
    'aurora_job_update_transitions_total{status="ROLLING_FORWARD"} 3',
  );
});

test('instruments fed directly; gauges read at the scrape', async () => {
  const metrics = new Metrics(new Stats());
  metrics.pulses.inc({ result: 'ok' });
  metrics.rpcSeconds.observe(0.002, 'getJobs');
  metrics.gauge('aurora_pulse_entries', 'Heartbeats kept', () => 7);
  const shown = await lines(metrics);
  expect(shown).toEqual(
    expect.arrayContaining([
      'aurora_pulses_total{result="ok"} 1',
      'aurora_rpc_duration_seconds_count{method="getJobs"} 1',
      'aurora_pulse_entries 7',
      'aurora_pulse_blocked_steps_total 0',
    ]),
  );
});

test("Node's own metrics on request; two in one process do not collide", async () => {
  new Metrics(new Stats(), { process: true });
  const { body, contentType } = await new Metrics(new Stats(), { process: true }).render();
  expect(body).toContain('nodejs_eventloop_lag_seconds');
  expect(contentType).toContain('text/plain');
});
