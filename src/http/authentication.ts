/**
 * Who calls `/api`, by HTTP BASIC (operations.md §1.1, §1.2). Nobody needs to log in for reads; whoever tries
 * and fails is turned away whatever the call. There is no session: each request is looked at anew.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Account } from '../core/access/realm.js';
import type { Caller } from '../rpc/outcome.js';
import { Repeats } from '../wire/repeats.js';
import type { Login, Refusal } from './api-handler.js';
import type { AfterAuth } from './auth-after.js';

/** The 401 of BASIC: never a Thrift message. */
export const CHALLENGE: Refusal = {
  status: 401,
  headers: ['WWW-Authenticate', 'BASIC realm="Apache Aurora Scheduler"'],
  text: '',
};

/** Nobody logged in: audit texts call them as if authentication were off. */
export const ANONYMOUS: Caller = Object.freeze({ user: 'UNSECURE', access: 'anonymous' });

/** A name and a password as they came: the name as text, the password as the bytes that were sent. */
interface Credentials {
  readonly user: string;
  readonly password: Buffer;
}

const COLON = ':'.charCodeAt(0);
/** Headers of good logins that are remembered, in each of two generations; longer ones are not. */
const REMEMBERED = 1_000;
const MAX_REMEMBERED_LENGTH = 512;

/** Undefined unless the header asks for BASIC. Without a colon the password is empty. */
export function basicCredentials(header: string | undefined): Credentials | undefined {
  if (header === undefined || !/^basic/i.test(header)) return undefined;
  const bytes = Buffer.from(header.split(' ')[1] ?? '', 'base64');
  const colon = bytes.indexOf(COLON);
  const end = colon < 0 ? bytes.length : colon;
  return { user: bytes.toString('utf8', 0, end), password: bytes.subarray(end + 1) };
}

/** What somebody proved, and somebody of that name who need not prove it. */
interface Known {
  readonly caller: Caller;
  readonly digest: Buffer;
}

export interface BasicAuthenticationOptions {
  readonly accounts: readonly Account[];
  /** Told of each login that failed. */
  readonly onFailure: () => void;
  /** `-shiro_after_auth_filter`. */
  readonly afterAuth?: AfterAuth;
}

export class BasicAuthentication {
  /**
   * Digests under a key of this process are compared, not passwords: all have one length, so that comparing
   * takes the same time for every password and tells nothing of theirs.
   */
  private readonly key = randomBytes(32);
  private readonly known: ReadonlyMap<string, Known>;
  /** Compared with for a user there is none of. */
  private readonly decoy = randomBytes(32);
  /**
   * Callers by the header of a good login, so that a monitor's next pulse costs a look-up. A header that
   * failed is never here, and is examined again each time. Users and passwords do not change while the
   * process lives, so what was right stays right.
   */
  private readonly remembered = new Repeats<Caller>(REMEMBERED);

  constructor(private readonly options: BasicAuthenticationOptions) {
    this.known = new Map(
      options.accounts.map(({ name, password, permissions }) => [
        name,
        {
          caller: Object.freeze({ user: name, access: permissions }),
          digest: this.digestOf(Buffer.from(password)),
        },
      ]),
    );
  }

  /** For the handler of `/api`: who calls, or the answer that turns them away. */
  readonly callerOf = (request: IncomingMessage): Login | Promise<Login> => {
    const caller = this.logIn(request);
    const { afterAuth } = this.options;
    return caller === undefined
      ? CHALLENGE
      : afterAuth === undefined
        ? caller
        : this.after(afterAuth, request, caller);
  };

  /**
   * Whether a caller may end the process (operations.md §3): one of this machine, or one with permission
   * `*`.
   */
  readonly mayControl = ({ raw }: { readonly raw: IncomingMessage }): 200 | 401 | 403 => {
    if (isLoopback(raw.socket.remoteAddress)) return 200;
    const caller = this.logIn(raw);
    if (caller === undefined || caller.access === 'anonymous') return 401;
    const mayAll = caller.access?.some((grant) => grant.length === 1 && grant[0]?.has('*'));
    return mayAll ? 200 : 403;
  };

  /** Undefined for credentials that are wrong. */
  private logIn({ headers: { authorization } }: IncomingMessage): Caller | undefined {
    if (authorization === undefined) return ANONYMOUS;
    const remembered = this.remembered.get(authorization);
    if (remembered !== undefined) return remembered;
    const credentials = basicCredentials(authorization);
    if (credentials === undefined) return ANONYMOUS;
    const known = this.known.get(credentials.user);
    const isRight = timingSafeEqual(
      this.digestOf(credentials.password),
      known?.digest ?? this.decoy,
    );
    if (known === undefined || !isRight) {
      this.options.onFailure();
      return undefined;
    }
    if (authorization.length <= MAX_REMEMBERED_LENGTH) {
      this.remembered.set(authorization, known.caller);
    }
    return known.caller;
  }

  private async after(
    afterAuth: AfterAuth,
    request: IncomingMessage,
    caller: Caller,
  ): Promise<Login> {
    const verdict = await afterAuth(request, caller === ANONYMOUS ? null : caller.user);
    if (verdict === null) return ANONYMOUS;
    if (typeof verdict === 'string') {
      return this.known.get(verdict)?.caller ?? { user: verdict, access: [] };
    }
    return verdict.status === 401 ? CHALLENGE : verdict;
  }

  private digestOf(password: Buffer): Buffer {
    return createHmac('sha256', this.key).update(password).digest();
  }
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:::ffff:)?127\.|^::1$/.test(address);
}
