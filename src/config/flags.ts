/**
 * Every flag there is, in one table (design.md D15). From it come the parser (parse.ts), `--help` and
 * docs/flags.md (help.ts), and the type of the configuration.
 *
 * Names, units and defaults are Aurora's where Aurora has the flag (operations.md §5.1); where the default
 * differs on purpose, the help line says so.
 */
import { join } from 'node:path';
import * as kinds from './kinds.js';
import type { Kind } from './kinds.js';
import { virtualHosts } from './virtual-hosts.js';

/** Facts about the process that some defaults depend on. */
export interface Surroundings {
  /** The platform's folder for the shim's data. */
  readonly dataDir: string;
  readonly isRoot: boolean;
}

export interface Flag<T> {
  readonly kind: Kind<T>;
  readonly help: string;
  readonly group: Group;
  readonly origin: 'aurora' | 'ours';
  /** Shown by plain `--help`. */
  readonly common: boolean;
  /** Accepted, checked, and not read by anything so far; a test compares (test/config/effect.test.ts). */
  readonly notYet: boolean;
  readonly default:
    | { readonly text: string }
    | { readonly words: string; readonly from?: (values: Values, where: Surroundings) => T };
}

/** Values by flag name while they are being collected. */
export type Values = Readonly<Record<string, unknown>>;

export const GROUPS = {
  server: 'Server',
  data: 'Database and data',
  backend: 'Backend',
  updates: 'Updates',
  jobs: 'Jobs',
  tasks: 'Tasks and scheduling',
  cron: 'Cron',
  sla: 'SLA and maintenance',
  security: 'Security',
  ha: 'High availability',
  stats: 'Statistics and notifications',
} as const;
export type Group = keyof typeof GROUPS;

interface Extras {
  readonly ours?: true;
  readonly common?: true;
  readonly notYet?: true;
}

/** The flags of one group: with a default, without one, with one that depends on something. */
function group(name: Group) {
  const rest = (help: string, extras: Extras) =>
    ({
      help,
      group: name,
      origin: extras.ours ? 'ours' : 'aurora',
      common: extras.common === true,
      notYet: extras.notYet === true,
    }) as const;
  return {
    /** `text` is the default as one would write it on the command line. */
    flag: <T>(kind: Kind<T>, text: string, help: string, extras: Extras = {}): Flag<T> => ({
      kind,
      default: { text },
      ...rest(help, extras),
    }),
    optional: <T>(kind: Kind<T>, help: string, extras: Extras = {}): Flag<T | undefined> => ({
      kind,
      default: { words: 'none' },
      ...rest(help, extras),
    }),
    derived: <T>(
      kind: Kind<T>,
      words: string,
      from: (values: Values, where: Surroundings) => T,
      help: string,
      extras: Extras = {},
    ): Flag<T> => ({ kind, default: { words, from }, ...rest(help, extras) }),
  };
}

const { bool, duration, integer, list, oneOf, path, text } = kinds;
const count = integer(0);
const atLeastOne = integer(1);
const [ours, common] = [{ ours: true }, { common: true }] as const;
const oursCommon = { ...ours, ...common };
const notYet = { notYet: true } as const;

const server = group('server');
const data = group('data');
const backend = group('backend');
const updates = group('updates');
const jobs = group('jobs');
const tasks = group('tasks');
const cron = group('cron');
const sla = group('sla');
const security = group('security');
const ha = group('ha');
const stats = group('stats');

const SECURITY_PACKAGE = 'org.apache.aurora.scheduler.http.api.security';
const slaMetrics = list(oneOf(['JOB_UPTIMES', 'PLATFORM_UPTIME', 'MEDIANS']));

export const FLAGS = {
  // Server
  cluster_name: server.flag(text, 'devcluster', 'name clients know this cluster by', common),
  http_port: server.flag(
    integer(0, 65_535),
    '8081',
    'port to listen on; 0 takes a free one (Aurora: 0)',
    common,
  ),
  ip: server.flag(text, '127.0.0.1', 'address to listen on; 0.0.0.0 for all', common),
  hostname: server.optional(text, 'host name told to clients and other schedulers', common),
  viz_job_url_prefix: server.flag(
    kinds.textOrBlank,
    '',
    'prefix of statistics links in replies (statsUrlPrefix)',
  ),
  http_max_body_size: server.flag(
    kinds.size,
    '4MB',
    'longest request body; more is answered 413',
    ours,
  ),
  log_level: server.flag(
    oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    'info',
    'what to log, from this level up',
    oursCommon,
  ),
  config_file: server.optional(path, 'file with name=value lines', oursCommon),

  // Database and data
  database_url: data.optional(
    kinds.databaseUrl,
    'Postgres 14 or newer; also DATABASE_URL. Without it an embedded Postgres is run',
    oursCommon,
  ),
  data_dir: data.derived(
    path,
    "the platform's data folder",
    (_, where) => where.dataDir,
    'folder of embedded Postgres and sandboxes',
    oursCommon,
  ),
  migrate: data.flag(
    oneOf(['auto', 'check', 'off']),
    'auto',
    'at start: bring the schema up to date, only check it, or neither',
    oursCommon,
  ),
  backup_dir: data.derived(
    path,
    '<data_dir>/backups',
    ({ data_dir }) => join(String(data_dir), 'backups'),
    'where backups go',
  ),
  backup_interval: data.flag(duration(1), '1hrs', 'time between two backups'),
  max_saved_backups: data.flag(atLeastOne, '48', 'backups to keep'),

  // Backend
  backend: backend.flag(
    // kubernetes is refused at start (unsupported() in settings.ts), so nobody is told of it.
    { ...oneOf(['local', 'kubernetes', 'simulated']), placeholder: 'local|simulated' },
    'local',
    'what runs the tasks',
    oursCommon,
  ),
  port_range: backend.flag(
    kinds.portRange,
    '31000-32000',
    'ports that tasks may be given',
    oursCommon,
  ),
  virtual_hosts: backend.flag(
    virtualHosts,
    '',
    'several hosts on this machine, to try placement and drains; cpus, ram and disk default to all of it',
    ours,
  ),
  nosetuid: backend.derived(
    bool,
    'true unless root',
    (_, where) => !where.isRoot,
    "run tasks as the shim's own user, not as their role",
    oursCommon,
  ),
  custom_executor_config: backend.optional(path, 'JSON file with executors beside AuroraExecutor'),
  global_container_mounts: backend.flag(list(kinds.mount), '', 'mounts of every container'),
  max_registration_delay: backend.flag(
    duration(1),
    '1mins',
    'a leader whose backend is not ready by then gives up',
    notYet,
  ),

  // Updates
  gate_commit_deadline: updates.flag(
    duration(1),
    '1secs',
    'a coordinated action not committed by then, counted from its pulse check, is dropped',
    oursCommon,
  ),
  unknown_pulse_response: updates.flag(
    oneOf(['INVALID_REQUEST', 'FINISHED']),
    'INVALID_REQUEST',
    'answer to a pulse of an update that does not exist',
    ours,
  ),
  max_update_instance_failures: updates.flag(
    atLeastOne,
    '20000',
    'cap on the failures one update may allow',
  ),
  job_update_history_per_job_threshold: updates.flag(
    count,
    '10',
    'finished updates to keep per job',
  ),
  job_update_history_pruning_interval: updates.flag(
    duration(1),
    '15mins',
    'time between two prunings of updates',
  ),
  job_update_history_pruning_threshold: updates.flag(
    duration(),
    '30days',
    'finished updates older than this go',
  ),
  enable_update_affinity: updates.flag(
    bool,
    'false',
    'an updated instance goes back to the host it was on',
  ),
  update_affinity_reservation_hold_time: updates.flag(
    duration(),
    '3mins',
    'how long that host is kept for it',
  ),

  // Jobs
  allowed_job_environments: jobs.flag(
    kinds.wholeMatch,
    '^(prod|devel|test|staging\\d*)$',
    "what a job's environment must match as a whole",
    common,
  ),
  max_tasks_per_job: jobs.flag(atLeastOne, '4000', 'most instances a job may have', common),
  allowed_container_types: jobs.flag(
    list(oneOf(['MESOS', 'DOCKER'])),
    'MESOS',
    'containers a job may ask for',
  ),
  allow_docker_parameters: jobs.flag(bool, 'false', 'jobs may give parameters to docker'),
  default_docker_parameters: jobs.flag(
    list(kinds.parameter),
    '',
    'docker parameters of jobs that give none',
  ),
  allow_container_volumes: jobs.flag(bool, 'false', 'jobs may mount host paths'),
  allow_gpu_resource: jobs.flag(bool, 'false', 'jobs may ask for GPUs'),
  require_docker_use_executor: jobs.flag(bool, 'true', 'docker jobs need an executor config'),
  enable_mesos_fetcher: jobs.flag(bool, 'false', 'jobs may name URIs to fetch'),
  tier_config: jobs.optional(path, 'JSON file with tiers instead of the three built in'),
  validate_executor_data: jobs.derived(
    bool,
    'true but for the simulated backend',
    ({ backend: chosen }) => chosen !== 'simulated',
    'refuse jobs whose executor config the executor would refuse',
    ours,
  ),

  // Tasks and scheduling
  transient_task_state_timeout: tasks.flag(
    duration(1),
    '5mins',
    'a task stuck in a passing state is lost after this',
  ),
  initial_task_kill_retry_interval: tasks.flag(
    duration(1),
    '15secs',
    'first wait before a kill is repeated',
  ),
  flapping_task_threshold: tasks.flag(
    duration(),
    '5mins',
    'a task that ends sooner than this is flapping',
  ),
  initial_flapping_task_delay: tasks.flag(duration(), '30secs', 'first penalty for flapping'),
  max_flapping_task_delay: tasks.flag(duration(), '5mins', 'longest penalty for flapping'),
  history_prune_threshold: tasks.flag(duration(), '2days', 'ended tasks older than this go'),
  history_max_per_job_threshold: tasks.flag(count, '100', 'ended tasks to keep per job'),
  history_min_retention_threshold: tasks.flag(
    duration(),
    '1hrs',
    'ended tasks younger than this stay',
  ),
  first_schedule_delay: tasks.flag(duration(), '1ms', 'wait before the first try to place a task'),
  initial_schedule_penalty: tasks.flag(duration(1), '1secs', 'wait after the first failed try'),
  max_schedule_penalty: tasks.flag(duration(1), '1mins', 'longest wait between tries'),
  max_schedule_attempts_per_sec: tasks.flag(
    kinds.positive,
    '40',
    'tries per second at most, of those who were tried in vain before',
  ),
  max_tasks_per_schedule_attempt: tasks.flag(atLeastOne, '5', 'tasks placed by one try'),
  scheduling_max_batch_size: tasks.flag(
    atLeastOne,
    '3',
    'groups of a job whose tasks are placed in one transaction',
  ),
  max_reschedule_task_delay_on_startup: tasks.flag(
    duration(),
    '30secs',
    'tries after a start are spread over this',
  ),
  enable_preemptor: tasks.flag(bool, 'true', 'let tasks displace lesser ones'),
  preemption_delay: tasks.flag(duration(), '3mins', 'age at which a waiting task may do so'),
  preemption_slot_search_initial_delay: tasks.flag(
    duration(),
    '3mins',
    'wait after the start before the first search',
  ),
  preemption_slot_search_interval: tasks.flag(duration(1), '1mins', 'time between two searches'),
  preemption_slot_hold_time: tasks.flag(duration(), '5mins', 'how long a place found is kept'),
  preemption_reservation_max_batch_size: tasks.flag(
    atLeastOne,
    '5',
    'task groups served by one search',
  ),
  offer_reservation_duration: tasks.flag(
    duration(),
    '3mins',
    'how long a host is kept for the task that preempted there',
  ),
  partition_aware: tasks.flag(
    bool,
    'false',
    'tasks of unreachable hosts become PARTITIONED, not LOST',
  ),
  unavailability_threshold: tasks.flag(
    duration(),
    '6mins',
    'hosts with a maintenance announced within this are avoided',
  ),
  reconciliation_initial_delay: tasks.flag(
    duration(),
    '1mins',
    'wait after the start before tasks are compared with the backend',
  ),
  reconciliation_schedule_spread: tasks.flag(
    duration(),
    '30mins',
    'further wait before the first implicit comparison',
  ),
  reconciliation_explicit_interval: tasks.flag(
    duration(60_000),
    '60mins',
    'time between two comparisons task by task',
  ),
  reconciliation_implicit_interval: tasks.flag(
    duration(60_000),
    '60mins',
    'time between two comparisons of everything',
  ),
  reconciliation_explicit_batch_size: tasks.flag(atLeastOne, '1000', 'tasks asked about at once'),
  reconciliation_explicit_batch_interval: tasks.flag(
    duration(),
    '5secs',
    'wait between two such batches',
  ),

  // Cron
  cron_timezone: cron.flag(kinds.timeZone, 'GMT', 'time zone of cron schedules', common),
  cron_start_initial_backoff: cron.flag(
    duration(1),
    '5secs',
    'first wait for the former run to end',
  ),
  cron_start_max_backoff: cron.flag(duration(1), '1mins', 'longest such wait'),

  // SLA and maintenance
  sla_stat_refresh_interval: sla.flag(
    duration(1),
    '1mins',
    'time between two SLA computations, and the time each looks back',
  ),
  sla_prod_metrics: sla.flag(
    slaMetrics,
    'JOB_UPTIMES,PLATFORM_UPTIME,MEDIANS',
    'SLA figures of production jobs',
  ),
  sla_non_prod_metrics: sla.flag(slaMetrics, '', 'SLA figures of other jobs'),
  sla_coordinator_timeout: sla.flag(duration(1), '1mins', 'patience with an SLA coordinator'),
  sla_aware_kill_non_prod: sla.flag(bool, 'false', 'spare non-production tasks too'),
  sla_aware_action_max_batch_size: sla.flag(atLeastOne, '300', 'SLA checks at once'),
  sla_aware_kill_retry_min_delay: sla.flag(duration(1), '1mins', 'first wait after an SLA said no'),
  sla_aware_kill_retry_max_delay: sla.flag(duration(1), '5mins', 'longest such wait'),
  max_parallel_coordinated_maintenance: sla.flag(
    atLeastOne,
    '10',
    'coordinators asked at the same time',
  ),
  min_required_instances_for_sla_check: sla.flag(
    count,
    '20',
    'jobs with fewer instances have no SLA',
  ),
  max_sla_duration_secs: sla.flag(
    duration(),
    '2hrs',
    'longest duration an SLA policy may ask for (a time, whatever its name says)',
  ),
  host_maintenance_polling_interval: sla.flag(
    duration(1),
    '1mins',
    'time between two looks at draining hosts',
  ),

  // Security
  http_authentication_mechanism: security.flag(
    oneOf(['NONE', 'BASIC', 'NEGOTIATE']),
    'NONE',
    'how callers of /api prove who they are',
  ),
  shiro_ini_path: security.optional(path, 'INI file with users and roles'),
  shiro_realm_modules: security.flag(
    list(
      oneOf(['INI_AUTHNZ', 'KERBEROS5_AUTHN'], {
        [`${SECURITY_PACKAGE}.IniShiroRealmModule`]: 'INI_AUTHNZ',
        [`${SECURITY_PACKAGE}.Kerberos5ShiroRealmModule`]: 'KERBEROS5_AUTHN',
      }),
    ),
    'INI_AUTHNZ',
    'where users and roles come from',
  ),
  shiro_credentials_matcher: security.flag(
    oneOf(['SimpleCredentialsMatcher'], {
      'org.apache.shiro.authc.credential.SimpleCredentialsMatcher': 'SimpleCredentialsMatcher',
    }),
    'SimpleCredentialsMatcher',
    'how passwords are compared; there is one way',
  ),
  shiro_after_auth_filter: security.optional(
    path,
    'JavaScript module asked after authentication (Aurora: a Java class)',
  ),
  kerberos_server_keytab: security.optional(path, 'keytab of NEGOTIATE', notYet),
  kerberos_server_principal: security.optional(text, 'principal of NEGOTIATE', notYet),
  kerberos_debug: security.flag(bool, 'false', 'tell more about NEGOTIATE', notYet),
  enable_cors_for: security.optional(
    text,
    'origin whose web pages may call /api (one value, sent as it is)',
    common,
  ),

  // High availability
  lease_ttl: ha.flag(
    duration(1_000),
    '10secs',
    'a leader silent for this long is replaced',
    oursCommon,
  ),
  standby_proxy: ha.flag(
    bool,
    'false',
    'a standby forwards /api to the leader instead of redirecting',
    ours,
  ),
  max_leading_duration: ha.flag(
    duration(),
    '0secs',
    'planned failover after this; 0 is never (Aurora: 1days)',
    notYet,
  ),
  serverset_path: ha.optional(text, 'ZooKeeper path to announce the leader under', notYet),
  serverset_endpoint_name: ha.flag(text, 'http', 'name of the announced endpoint', notYet),
  zk_endpoints: ha.flag(
    list(kinds.hostPort),
    '',
    'ZooKeeper servers; none: no announcement',
    notYet,
  ),
  zk_session_timeout: ha.flag(duration(1), '15secs', 'ZooKeeper session timeout', notYet),
  zk_connection_timeout: ha.flag(duration(1), '10secs', 'ZooKeeper connection timeout', notYet),
  zk_chroot_path: ha.optional(text, 'path before every ZooKeeper path', notYet),
  zk_digest_credentials: ha.optional(text, 'user:password for ZooKeeper', notYet),

  // Statistics and notifications
  stat_sampling_interval: stats.flag(
    duration(1),
    '1secs',
    'time between two samples of /graphdata',
  ),
  stat_retention_period: stats.flag(duration(1), '1hrs', 'how long samples are kept', notYet),
  async_task_stat_update_interval: stats.flag(
    duration(1),
    '1hrs',
    'time between two sums of what tasks use',
    notYet,
  ),
  async_slot_stat_update_interval: stats.flag(
    duration(1),
    '1mins',
    'time between two counts of free places',
    notYet,
  ),
  webhook_config: stats.optional(path, 'JSON file: whom to tell of task changes'),
} satisfies Record<string, Flag<unknown>>;

export type FlagName = keyof typeof FLAGS;

/** What the flags say, by flag name: one name to search for everywhere. Times in ms, sizes in bytes. */
export type Config = {
  readonly [Name in FlagName]: (typeof FLAGS)[Name] extends Flag<infer T> ? T : never;
};

/**
 * Flags of Aurora that mean nothing here: no Mesos, no replicated log, no classes, no JVM threads. They
 * are accepted so that existing start scripts work. `*` stands for any characters.
 */
export const IGNORED_FLAGS = [
  '*_modules',
  'async_worker_threads',
  'cron_scheduler_num_threads',
  'cron_scheduling_max_batch_size',
  'dlog_*',
  'enable_revocable_cpus',
  'enable_revocable_ram',
  'executor_user',
  'framework_*',
  'hold_offers_forever',
  'http_offer_set_*',
  'max_status_update_batch_size',
  'max_task_event_batch_size',
  'mesos_*',
  'min_offer_hold_time',
  'native_log_*',
  'offer_filter_duration',
  'offer_hold_jitter_window',
  'offer_order',
  'offer_set_module',
  'offer_static_ban_cache_max_size',
  'populate_discovery_info',
  'receive_revocable_resources',
  'thermos_executor_*',
  'thermos_home_in_sandbox',
  'zk_in_proc',
] as const;
