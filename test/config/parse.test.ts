/** operations.md §5.1: how flags are written, where they come from, what is refused. */
import { FLAGS, IGNORED_FLAGS, type Config } from '../../src/config/flags.js';
import { parseConfig } from '../../src/config/parse.js';

interface Given {
  readonly argv?: readonly string[];
  readonly env?: Record<string, string>;
  readonly files?: Record<string, string>;
  readonly isRoot?: boolean;
}

function parse({ argv = [], env = {}, files = {}, isRoot = false }: Given = {}): ReturnType<
  typeof parseConfig
> {
  const readFile = (path: string): string => {
    const text = files[path];
    if (text === undefined) throw new Error('no such file');
    return text;
  };
  return parseConfig(argv, env, readFile, { dataDir: '/data', isRoot });
}

function config(given: Given): Config {
  const result = parse(given);
  if ('errors' in result) throw new Error(result.errors.join('\n'));
  return result.config;
}

function errors(given: Given): readonly string[] {
  const result = parse(given);
  return 'errors' in result ? result.errors : [];
}

function warnings(given: Given): readonly string[] {
  const result = parse(given);
  return 'warnings' in result ? result.warnings : [];
}

describe('without flags', () => {
  test('the defaults serve', () => {
    expect(config({})).toMatchObject({
      cluster_name: 'devcluster',
      http_port: 8081,
      ip: '127.0.0.1',
      hostname: undefined,
      database_url: undefined,
      data_dir: '/data',
      backup_dir: '/data/backups',
      backend: 'local',
      port_range: { first: 31_000, last: 32_000 },
      nosetuid: true,
      validate_executor_data: true,
      migrate: 'auto',
      max_tasks_per_job: 4000,
      history_prune_threshold: 172_800_000,
      http_max_body_size: 4_194_304,
      lease_ttl: 10_000,
      gate_commit_deadline: 1000,
      unknown_pulse_response: 'INVALID_REQUEST',
      sla_prod_metrics: ['JOB_UPTIMES', 'PLATFORM_UPTIME', 'MEDIANS'],
      sla_non_prod_metrics: [],
      max_leading_duration: 0,
      first_schedule_delay: 1,
    });
  });

  test('there is one for every flag, and nothing can be changed', () => {
    const result = config({});
    expect(Object.keys(result).sort()).toEqual(Object.keys(FLAGS).sort());
    expect(Object.isFrozen(result)).toBe(true);
    expect(Object.isFrozen(result.sla_prod_metrics)).toBe(true);
    expect(Object.isFrozen(result.port_range)).toBe(true);
  });

  test('some depend on others and on the user', () => {
    expect(config({ argv: ['--data_dir=/srv'] }).backup_dir).toBe('/srv/backups');
    expect(config({ argv: ['--backup_dir=/b', '--data_dir=/srv'] }).backup_dir).toBe('/b');
    expect(config({ isRoot: true }).nosetuid).toBe(false);
    expect(config({ argv: ['--backend=simulated'] }).validate_executor_data).toBe(false);
    expect(
      config({ argv: ['--backend=simulated', '--validate_executor_data'] }).validate_executor_data,
    ).toBe(true);
  });
});

describe('syntax', () => {
  test.each([
    [['--cluster_name', 'west']],
    [['--cluster_name=west']],
    [['-cluster_name=west']],
    [['-cluster_name', 'west']],
    [['--cluster_name=east', '--cluster_name=west']],
  ])('%j', (argv) => expect(config({ argv }).cluster_name).toBe('west'));

  test.each([
    [['--standby_proxy'], true],
    [['--standby_proxy', '--ip', '::1'], true],
    [['--standby_proxy=true'], true],
    [['--standby_proxy=false'], false],
    [['--standby_proxy', 'false'], false],
  ])('%j is %s', (argv, expected) => expect(config({ argv }).standby_proxy).toBe(expected));

  test('a value may hold anything after the first equals sign, and be empty where that means something', () => {
    const result = config({
      argv: [
        '--viz_job_url_prefix=',
        '--sla_prod_metrics=',
        '--default_docker_parameters=env=A=1,rm=true',
        '--global_container_mounts=/a:/b:ro,/c:/d:RW',
        '--zk_endpoints=z1:2181,[::1]:2182',
        '--allowed_job_environments=prod|x{1,2}',
      ],
    });
    expect(result.viz_job_url_prefix).toBe('');
    expect(result.sla_prod_metrics).toEqual([]);
    expect(result.default_docker_parameters).toEqual([
      { name: 'env', value: 'A=1' },
      { name: 'rm', value: 'true' },
    ]);
    expect(result.global_container_mounts).toEqual([
      { hostPath: '/a', containerPath: '/b', mode: 'RO' },
      { hostPath: '/c', containerPath: '/d', mode: 'RW' },
    ]);
    expect(result.zk_endpoints).toEqual([
      { host: 'z1', port: 2181 },
      { host: '::1', port: 2182 },
    ]);
    expect(result.allowed_job_environments.text).toBe('prod|x{1,2}');
    expect(
      ['prod', 'xx', 'production', 'xxx'].map((e) => result.allowed_job_environments.test(e)),
    ).toEqual([true, true, false, false]);
  });

  test('class names stand for what they do', () => {
    const name = 'org.apache.aurora.scheduler.http.api.security.Kerberos5ShiroRealmModule';
    expect(
      config({ argv: [`-shiro_realm_modules=INI_AUTHNZ,${name}`] }).shiro_realm_modules,
    ).toEqual(['INI_AUTHNZ', 'KERBEROS5_AUTHN']);
  });

  test.each([
    [['--http_port=x'], '--http_port: "x" is not a whole number of 0 to 65535'],
    [['--http_port'], '--http_port: needs a value, <number>'],
    [['--http_port', '--ip=::1'], '--http_port: needs a value, <number>'],
    [['--max_tasks_per_job', '-1'], '--max_tasks_per_job: "-1" is not a whole number of 1 or more'],
    [['--lease_ttl=10'], '--lease_ttl: "10" is no time: digits and one of ns, us, ms, secs'],
    [['--lease_ttl=5ms'], '--lease_ttl: "5ms" is less than 1000ms'],
    [['--http_max_body_size=0B'], '--http_max_body_size: "0B" leaves room for nothing'],
    [['--standby_proxy=yes'], '--standby_proxy: "yes" is neither true nor false'],
    [['--backend=mesos'], '--backend: "mesos" is none of local, kubernetes, simulated'],
    [['--enable_cors_for='], '--enable_cors_for: must not be blank'],
    [['--port_range=5-4'], '--port_range: "5-4" is not a range of ports'],
    [['--zk_endpoints=host'], '--zk_endpoints: "host" is not host:port'],
    [['--cron_timezone=Moon'], '--cron_timezone: "Moon" is no time zone'],
    [['--allowed_job_environments=('], '--allowed_job_environments: "(" is no regular expression'],
    [['--shiro_realm_modules=toString'], '--shiro_realm_modules: "toString" is none of'],
    [['stray'], 'unexpected argument "stray"'],
    [['--'], 'unexpected argument "--"'],
  ])('refuses %j', (argv, message) => {
    expect(errors({ argv })).toEqual([expect.stringContaining(message)]);
  });

  test('a bad database URL is not repeated, it may hold a password', () => {
    const [message] = errors({ argv: ['--database_url=mysql://a:secret@h/d'] });
    expect(message).toContain('--database_url: not a URL like postgresql://');
    expect(message).not.toContain('secret');
  });

  test('all mistakes are told at once', () => {
    const given = { argv: ['--ip=', '--nonsense'], env: { AURORA_HTTP_PORT: 'x' } };
    expect(errors(given)).toHaveLength(3);
    expect(errors(given).join('\n')).toContain('AURORA_HTTP_PORT: "x" is not');
  });
});

describe('sources', () => {
  const files = {
    '/etc/shim.conf': '# ours\n\ncluster_name = file\n-ip=10.0.0.1\r\nhttp_port=1\n',
  };

  test('command line before environment before file before default', () => {
    const env = {
      AURORA_CONFIG_FILE: '/etc/shim.conf',
      AURORA_IP: '10.0.0.2',
      AURORA_HTTP_PORT: '2',
    };
    expect(config({ argv: ['--http_port=3'], env, files })).toMatchObject({
      cluster_name: 'file',
      ip: '10.0.0.2',
      http_port: 3,
      backend: 'local',
    });
  });

  test('DATABASE_URL counts, AURORA_DATABASE_URL more', () => {
    const env = { DATABASE_URL: 'postgres://h/one' };
    expect(config({ env }).database_url).toBe('postgres://h/one');
    const both = { ...env, AURORA_DATABASE_URL: 'postgres://h/two' };
    expect(config({ env: both }).database_url).toBe('postgres://h/two');
  });

  test('an empty variable is an unset one; foreign variables are left alone', () => {
    const env = {
      AURORA_IP: '',
      DATABASE_URL: '',
      AURORA_CONFIG_ROOT: '/etc/aurora',
      PATH: '/bin',
    };
    expect(config({ env })).toMatchObject({ ip: '127.0.0.1', database_url: undefined });
    expect(warnings({ env })).toEqual([]);
  });

  test('a variable that is nearly one of ours is worth a warning', () => {
    expect(warnings({ env: { AURORA_CLUSTERNAME: 'x' } })).toEqual([
      'AURORA_CLUSTERNAME is not used; did you mean AURORA_CLUSTER_NAME?',
    ]);
  });

  test('mistakes in the file are told with their line', () => {
    const broken = { '/c': 'ip=1.2.3.4\nnonsense\nhttp_port=x\nbakend=local\nconfig_file=/d\n' };
    expect(errors({ argv: ['--config_file=/c'], files: broken })).toEqual([
      '/c:2: not a line of the form name=value',
      '/c:5: a configuration file cannot name another',
      '/c:4: there is no flag --bakend. Did you mean --backend?',
      '/c:3: "x" is not a whole number of 0 to 65535',
    ]);
    expect(errors({ argv: ['--config_file=/none'] })).toEqual([
      '--config_file: cannot read /none (no such file)',
    ]);
  });
});

describe('flags we do not have', () => {
  test.each([
    ['--clustername', ' Did you mean --cluster_name?'],
    ['--http-port', ' Did you mean --http_port?'],
    ['--bakcend', ' Did you mean --backend?'],
    ['--something_else_altogether', ''],
    ['--toString', ''],
    ['--ipx', ''],
  ])('%s', (flag, hint) => {
    expect(errors({ argv: [`${flag}=1`] })).toEqual([`there is no flag ${flag}.${hint}`]);
  });

  test("Aurora's that mean nothing here are accepted with one warning", () => {
    const argv = [
      '-mesos_master_address=zk://z:2181/mesos',
      '-native_log_quorum_size',
      '2',
      '-thermos_executor_path=/x',
      '-zk_in_proc=true',
      '-preemption_slot_finder_modules=a.B',
      '-cluster_name=west',
    ];
    const given = { argv, env: { AURORA_OFFER_ORDER: 'CPU' } };
    expect(config(given).cluster_name).toBe('west');
    expect(warnings(given)).toEqual([
      'accepted and ignored, for they mean nothing to aurora-shim: mesos_master_address, ' +
        'native_log_quorum_size, offer_order, preemption_slot_finder_modules, ' +
        'thermos_executor_path, zk_in_proc',
    ]);
  });

  test('no flag of ours is also ignored', () => {
    const patterns = IGNORED_FLAGS.map((name) => new RegExp(`^${name.replace('*', '.*')}$`));
    const both = Object.keys(FLAGS).filter((name) => patterns.some((p) => p.test(name)));
    // Ours wins: the realm modules are the exception that operations.md §5.1 names.
    expect(both).toEqual(['shiro_realm_modules']);
  });
});

describe('flags without effect so far', () => {
  const warning = (name: string): string => `--${name} has no effect yet`;

  test('warn once each, wherever they were set', () => {
    const files = { '/c': 'preemption_delay=1mins\nbackup_interval=2hrs\nip=::1\n' };
    const env = { AURORA_KERBEROS_DEBUG: 'true', AURORA_BACKUP_INTERVAL: '3hrs' };
    const argv = ['--config_file=/c', '--backup_dir', '/b', '-kerberos_server_principal=a.B'];
    expect(warnings({ argv, env, files })).toEqual(
      ['backup_dir', 'backup_interval', 'kerberos_server_principal', 'kerberos_debug'].map(warning),
    );
  });

  test('are still checked, and their defaults do not warn', () => {
    expect(errors({ argv: ['--backup_interval=never'] })).toHaveLength(1);
    expect(warnings({})).toEqual([]);
    expect(warnings({ argv: ['--data_dir=/srv', '--http_port=1'] })).toEqual([]);
  });
});

describe('flags that need each other', () => {
  test('authentication needs users, Kerberos a keytab', () => {
    expect(errors({ argv: ['--http_authentication_mechanism=BASIC'] })).toEqual([
      '--http_authentication_mechanism=BASIC needs --shiro_ini_path',
    ]);
    expect(
      errors({ argv: ['--http_authentication_mechanism=NEGOTIATE', '--shiro_ini_path=/i'] }),
    ).toEqual([expect.stringContaining('--kerberos_server_keytab')]);
    expect(
      config({ argv: ['--http_authentication_mechanism=BASIC', '--shiro_ini_path=/i'] }),
    ).toMatchObject({ shiro_ini_path: '/i' });
  });
});
