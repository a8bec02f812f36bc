/**
 * Every recorded request of the Python clients and of gorealis in a state in which it can succeed: it does,
 * with exactly the result that wire.md §2.3 promises and no message (§2.2). The bytes are the recorded ones
 * but for ids of updates, which the scheduler chooses. REFUSED names the three that no state makes right.
 */
import { ResponseCode, type Response } from '#thrift/aurora_types';
import { Thrift } from 'thrift';
import { startTestApp, type TestApp } from '../support/app';
import { captures, type Capture } from '../wire/shared';
import { recorder, serviceOf } from '../wire/support';
import { Arranger, type Key } from './support/arranged';
import { RESULT_OF, decode, replay } from './support/replay';

/** In the recorded requests every update has this one. */
const RECORDED_UPDATE = '11111111-2222-3333-4444-555555555555';

/** What the jobs of the recorded requests ask for, and a cluster may refuse. */
const FLAGS = [
  ...['--allowed_container_types=MESOS,DOCKER', '--allow_docker_parameters=true'],
  ...['--enable_mesos_fetcher=true', '--allow_container_volumes=true', '--allow_gpu_resource=true'],
  '--min_required_instances_for_sla_check=1',
];

/** They can succeed nowhere: recorded against a server that takes anything. */
const SLA = '3 instances of which 95 % must be up: no kill could ever pass (rpc.md §5, T20)';
const REFUSED: Readonly<Record<string, string>> = {
  'aurora-py.jsonl:6 createJob': SLA,
  'aurora-py.jsonl:38 getJobUpdateDiff': SLA,
  'aurora-py.jsonl:39 startJobUpdate': SLA,
};

const requests = captures('recorded requests in states in which they can succeed');
/** Ends the process, so it has one of its own. */
const [last, others] = [
  requests.filter(({ rpc }) => rpc === 'commitRecovery'),
  requests.filter(({ rpc }) => rpc !== 'commitRecovery'),
];
const describeIfAny = requests.length === 0 ? describe.skip : describe;

let app: TestApp;
let arranger: Arranger;

async function start(): Promise<void> {
  app = await startTestApp({ flags: FLAGS });
  arranger = new Arranger(app);
}

/** The arguments, by our own codec: only to know what to arrange. */
async function argumentsOf({
  body,
  protocol,
}: Capture): Promise<Readonly<Record<string, unknown>>> {
  const { calls, methods } = recorder();
  const encoding = protocol === 'TJSON' ? 'json' : 'binary';
  await serviceOf(methods).handle(body, encoding, encoding, { user: 'x' });
  return calls[0]!.args;
}

/** An id is as long as another, so nothing else moves. */
function withUpdate(request: Capture, id: string | undefined): Capture {
  if (id === undefined) return request;
  const body = request.body.toString('latin1').replaceAll(RECORDED_UPDATE, id);
  return { ...request, body: Buffer.from(body, 'latin1') };
}

async function send(request: Capture): Promise<Response> {
  const { status, body } = await replay(app.port, request);
  expect(status).toBe(200);
  const { name, type, seqid, response } = decode(body, request.protocol === 'TBinary-strict');
  expect([name, type, seqid]).toEqual([request.rpc, Thrift.MessageType.REPLY, request.seqid]);
  return response;
}

const messages = ({ details }: Response) => details.map(({ message }) => message);
const members = ({ result }: Response) =>
  Object.entries(result ?? {}).flatMap(([name, value]) => (value == null ? [] : [name]));

function expectOk(rpc: string, response: Response): void {
  const member = RESULT_OF[rpc];
  expect({
    code: ResponseCode[response.responseCode],
    messages: messages(response),
    members: members(response),
  }).toEqual({ code: 'OK', messages: [], members: member === undefined ? [] : [member] });
}

function expectRefused(response: Response): void {
  expect({
    code: ResponseCode[response.responseCode],
    messages: messages(response).length,
    members: members(response),
  }).toEqual({ code: 'INVALID_REQUEST', messages: 1, members: [] });
}

const titled = (all: readonly Capture[]) =>
  all.map((request) => [`${request.file}:${request.n} ${request.rpc}`, request] as const);

describeIfAny('each recorded request is OK', () => {
  beforeAll(start);
  afterAll(() => app.stop());

  const can = titled(others).filter(([title]) => REFUSED[title] === undefined);
  test.each(can)('%s', async (_title, request) => {
    const id = await arranger.before(request.rpc, await argumentsOf(request));
    const response = await send(withUpdate(request, id));
    expectOk(request.rpc, response);
    if (request.rpc === 'startJobUpdate') {
      const started = response.result!.startJobUpdateResult!;
      expect(started.updateSummary!.key).toEqual(started.key);
    }
    if (id !== undefined) expectFound(request.rpc, response, id);
    await arranger.after(request.rpc);
  });
});

describeIfAny('those that no state makes right are refused', () => {
  beforeAll(start);
  afterAll(() => app.stop());

  const cannot = titled(others)
    .filter(([title]) => REFUSED[title] !== undefined)
    .map(([title, request]) => [`${title}: ${REFUSED[title]}`, request] as const);

  test.each(cannot)('%s', async (_title, request) => {
    await arranger.before(request.rpc, await argumentsOf(request));
    const response = await send(request);
    expectRefused(response);
    expect(messages(response)[0]).toMatch(/would block every kill/);
  });

  test('all of the table', () => expect(cannot).toHaveLength(Object.keys(REFUSED).length));
});

/** The update that was arranged is what a read by its key finds. */
function expectFound(rpc: string, { result }: Response, id: string): void {
  if (rpc === 'getJobUpdateSummaries') {
    const { updateSummaries } = result!.getJobUpdateSummariesResult!;
    expect(updateSummaries.map(({ key }) => key.id)).toEqual([id]);
  }
  if (rpc === 'getJobUpdateDetails') {
    const { details, detailsList } = result!.getJobUpdateDetailsResult!;
    expect(details).toBeNull();
    expect(detailsList.map(({ update }) => update.summary.key.id)).toEqual([id]);
  }
}

describeIfAny('commitRecovery is OK, and asks for the end of the process', () => {
  beforeAll(start);
  afterAll(() => app.stop());

  test.each(titled(last))('%s', async (_title, request) => {
    await arranger.before(request.rpc, {});
    expectOk(request.rpc, await send(request));
    expect(app.endedWith).toBeDefined();
  });
});

describeIfAny('the same requests where they have nothing to do, or come too late', () => {
  beforeAll(start);
  afterAll(() => app.stop());

  const all = (rpc: string) =>
    titled(others.filter((request) => request.rpc === rpc)).filter(
      ([title]) => REFUSED[title] === undefined,
    );
  const twice = async (request: Capture): Promise<Response> => {
    await arranger.before(request.rpc, await argumentsOf(request));
    expectOk(request.rpc, await send(request));
    return send(request);
  };

  test.each([...all('killTasks'), ...all('descheduleCronJob')])(
    '%s: the second time it is OK with one message',
    async (_title, request) => {
      const args = await argumentsOf(request);
      await arranger.before(request.rpc, args);
      await send(request);
      await arranger.clear(args['job'] as Key);
      const again = await send(request);
      expect([again.responseCode, again.details.length, members(again)]).toEqual([
        ResponseCode.OK,
        1,
        [],
      ]);
    },
  );

  test.each(all('startJobUpdate'))(
    '%s: while another update is active it is refused, with the result of that one',
    async (_title, request) => {
      const again = await twice(request);
      expect([again.responseCode, again.details.length]).toEqual([ResponseCode.INVALID_REQUEST, 1]);
      expect(members(again)).toEqual(['startJobUpdateResult']);
      const { key, updateSummary } = again.result!.startJobUpdateResult!;
      expect(updateSummary!.key).toEqual(key);
      // Python looks for its own id among them, and takes the answer for a success then (§2.3).
      const { metadata } = (await argumentsOf(request))['request'] as { metadata: object[] };
      expect(updateSummary!.metadata).toEqual(
        metadata.map((item) => expect.objectContaining(item)),
      );
    },
  );

  test.each([...all('createJob')])('%s: a job that exists is refused', async (_title, request) => {
    expectRefused(await twice(request));
  });

  test.each(all('pulseJobUpdate'))(
    '%s: an update nobody knows is refused',
    async (_title, request) => {
      expectRefused(await send(request));
    },
  );
});
