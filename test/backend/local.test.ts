import { compileBackend } from './support/compiled.js';
import { LocalWorld } from './support/local-world.js';

const compiled = compileBackend();
let world: LocalWorld;

beforeEach(async () => {
  world = new LocalWorld(compiled);
  await world.start();
});
afterEach(() => world.close());
afterAll(() => compiled.remove());

describe('local backend', () => {
  test('THERMOS-035 a short task starts, runs and finishes', async () => {
    await world.run('hello_world-001', [
      { name: 'hello_world_{{thermos.task_id}}', cmdline: 'echo hello' },
    ]);
    expect(await world.end('hello_world-001')).toEqual({
      state: 'finished',
      message: 'Task finished.',
    });
    expect(world.sink.states('hello_world-001')).toEqual(['starting', 'running', 'finished']);
    expect(world.log('hello_world-001', 'hello_world_hello_world-001')).toBe('hello\n');
  });
});
