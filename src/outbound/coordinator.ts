/**
 * Asks SLA coordinators over HTTP whether a task may be killed (updates.md §3.10, tasks.md §9.2). One
 * question at a time for each URL, so many at once over all of them; no retries here, the asker comes back.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type {
  AskCoordinator,
  CoordinatorQuestion,
  CoordinatorReply,
} from '../core/sla/coordinator.js';
import { clusterInstanceKey, coordinatorUrl, readAnswer } from '../core/sla/coordinator.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { Timers } from '../time.js';
import { auroraSchema } from '../wire/idl.js';
import { simpleJson } from '../wire/simple-json.js';

export interface CoordinatorSettings {
  /** First part of the instance keys that coordinators are sent. */
  readonly clusterName: string;
  /** For the whole exchange, ms: `-sla_coordinator_timeout`. */
  readonly timeoutMs: number;
  /** Calls at once: `-max_parallel_coordinated_maintenance`. */
  readonly maxParallel: number;
}

export interface CoordinatorOptions {
  readonly settings: CoordinatorSettings;
  readonly timers: Timers;
  readonly stats: Stats;
  readonly log: Log;
}

/** A reply is one small object; whoever sends more has not understood the question. */
const MAX_REPLY_BYTES = 64 * 1024;

export class Coordinator {
  /** URLs whose question is under way, or whose answer is being acted on. */
  private readonly locked = new Set<string>();
  private running = 0;
  /** Questions with their lock that wait for a free call, first come first served. */
  private readonly waiting: (() => void)[] = [];
  private readonly requests = new Set<ClientRequest>();
  private closed = false;

  constructor(private readonly options: CoordinatorOptions) {}

  /**
   * See AskCoordinator. A URL that is locked is a no at once, so that nobody waits behind a question that
   * may take a minute; never rejects but with what `act` throws.
   */
  readonly ask: AskCoordinator = async (question, act) => {
    const { url } = question;
    const { settings } = this.options;
    const instanceKey = clusterInstanceKey(settings.clusterName, question.job, question.instanceId);
    if (this.closed || this.locked.has(url)) {
      if (!this.closed) this.count('lock_starvation', instanceKey);
      return act(false);
    }
    this.locked.add(url);
    await this.enter();
    try {
      // The lock is held until the kill is written: else two answers could be acted on at once.
      await act(!this.closed && (await this.isGranted(question, instanceKey)));
    } finally {
      this.leave();
      this.locked.delete(url);
    }
  };

  /** Gives up every call under way; what is asked from now on is answered with no. */
  close(): void {
    this.closed = true;
    for (const request of this.requests) request.destroy(new Error('the scheduler stops'));
  }

  private async enter(): Promise<void> {
    if (this.running >= this.options.settings.maxParallel) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
      return;
    }
    this.running += 1;
  }

  /** Hands its place on; only without anybody waiting there is one fewer. */
  private leave(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.running -= 1;
    else next();
  }

  private async isGranted(question: CoordinatorQuestion, instanceKey: string): Promise<boolean> {
    const { stats, log } = this.options;
    stats.increment('sla_coordinator_attempts');
    let reply: CoordinatorReply;
    try {
      reply = await this.post(question, instanceKey);
    } catch (error) {
      this.count('errors', instanceKey);
      log.warn({ err: error, task: instanceKey }, 'an SLA coordinator could not be asked');
      return false;
    }
    if (reply.httpStatus === 200) stats.increment('sla_coordinator_success');
    else this.count('user_errors', instanceKey);
    const { isGranted, problem } = readAnswer(reply, question.statusKey);
    if (problem !== undefined) {
      log.warn({ task: instanceKey, problem }, 'an SLA coordinator gave no answer');
    }
    return isGranted;
  }

  /** Kinds of trouble are counted twice, over all and for the instance. */
  private count(what: string, instanceKey: string): void {
    this.options.stats.increment(`sla_coordinator_${what}`);
    this.options.stats.increment(`sla_coordinator_${what}_${instanceKey}`);
  }

  /** @throws Error when there is no whole reply in time, or one that is too long */
  private async post(
    question: CoordinatorQuestion,
    instanceKey: string,
  ): Promise<CoordinatorReply> {
    const { timers, settings } = this.options;
    const taskConfig = simpleJson(auroraSchema(), 'ScheduledTask', question.task);
    const body = Buffer.from(JSON.stringify({ taskConfig, task: instanceKey, ...question.params }));
    const url = new URL(coordinatorUrl(question.url, instanceKey));
    const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
    // No agent: a connection that is kept for a minute or five would be closed by then, at either end.
    const request = open(url, {
      method: 'POST',
      agent: false,
      headers: { 'Content-Type': 'application/json', 'Content-Length': body.length },
    });
    this.requests.add(request);
    const timeout = timers.set(settings.timeoutMs, () =>
      request.destroy(new Error(`no reply within ${settings.timeoutMs} ms`)),
    );
    try {
      return await exchange(request, body);
    } finally {
      timeout.cancel();
      this.requests.delete(request);
      request.destroy();
    }
  }
}

function exchange(request: ClientRequest, body: Buffer): Promise<CoordinatorReply> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response: IncomingMessage) => {
      const pieces: Buffer[] = [];
      let size = 0;
      response.on('data', (piece: Buffer) => {
        pieces.push(piece);
        size += piece.length;
        if (size > MAX_REPLY_BYTES) reject(new Error(`its reply exceeds ${MAX_REPLY_BYTES} bytes`));
      });
      response.on('error', reject);
      response.on('close', () => reject(new Error('its reply was cut off')));
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        resolve({ httpStatus: response.statusCode ?? 0, body: text });
      });
    });
    request.end(body);
  });
}
