/**
 * A TCP proxy in front of Postgres that a test tells what becomes of a COMMIT, or of everything: for
 * answers that are lost, commits that come late, servers that are away. The Postgres behind it is real.
 */
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

/**
 * What happens to one COMMIT:
 * - `lose`: it never arrives, and the connection is cut;
 * - `cut`: it arrives and is done, and the connection is cut before the client hears of it;
 * - `swallow`: it never arrives, and the connection stays open and silent;
 * - `hold`: it is kept until `letGo` is called, then goes on its way.
 */
export type CommitFate = 'lose' | 'cut' | 'swallow' | 'hold';

const COMMIT = Buffer.from('COMMIT\0');

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Nothing passes any more, in either direction. */
  mute: boolean;
  /** The answer of the server ends both sides. */
  cutAtAnswer: boolean;
}

export class FlakyPostgres {
  /** Applies to the next COMMIT that comes by, once. */
  nextCommit: CommitFate | undefined;
  /** Called when a fate has been carried out or, for `hold`, has begun. */
  onFate: (() => void) | undefined;
  /** Connections that were ended as soon as they came. */
  refused = 0;
  private away = false;
  private readonly links = new Set<Link>();
  private readonly held: (() => void)[] = [];
  private target = { host: '127.0.0.1', port: 5432 };

  private constructor(
    private readonly listener: Server,
    private readonly port: number,
  ) {
    listener.on('connection', (client) => this.accept(client));
  }

  static async listen(): Promise<FlakyPostgres> {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return new FlakyPostgres(listener, (listener.address() as AddressInfo).port);
  }

  /** The URL that leads through here to the server of `url`. */
  to(url: string): string {
    const through = new URL(url);
    this.target = { host: through.hostname, port: Number(through.port) };
    through.hostname = '127.0.0.1';
    through.port = String(this.port);
    return through.toString();
  }

  /** Cuts every connection and lets nobody in until `comeBack`. */
  goAway(): void {
    this.away = true;
    for (const link of this.links) end(link);
  }

  comeBack(): void {
    this.away = false;
  }

  /** Sends what `hold` kept. */
  letGo(): void {
    for (const go of this.held.splice(0)) go();
  }

  /** From now on nothing passes through the connections there are; new ones work. */
  silence(): void {
    for (const link of this.links) link.mute = true;
  }

  async close(): Promise<void> {
    this.goAway();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private accept(client: Socket): void {
    if (this.away) {
      this.refused += 1;
      client.destroy();
      return;
    }
    const link = { client, server: connect(this.target), mute: false, cutAtAnswer: false };
    this.links.add(link);
    client.on('data', (bytes) => this.forward(link, bytes));
    link.server.on('data', (bytes) => {
      if (link.cutAtAnswer) this.carriedOut(link);
      else if (!link.mute) client.write(bytes);
    });
    for (const socket of [client, link.server]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.links.delete(link);
        end(link);
      });
    }
  }

  private forward(link: Link, bytes: Buffer): void {
    if (link.mute) return;
    const fate = this.nextCommit;
    if (fate === undefined || !bytes.includes(COMMIT)) {
      link.server.write(bytes);
      return;
    }
    this.nextCommit = undefined;
    switch (fate) {
      case 'lose':
        this.carriedOut(link);
        break;
      case 'cut':
        link.cutAtAnswer = true;
        link.server.write(bytes);
        break;
      case 'swallow':
        link.mute = true;
        this.onFate?.();
        break;
      case 'hold':
        this.held.push(() => link.server.write(bytes));
        this.onFate?.();
        break;
    }
  }

  private carriedOut(link: Link): void {
    end(link);
    this.onFate?.();
  }
}

function end(link: Link): void {
  link.client.destroy();
  link.server.destroy();
}
