/**
 * `-shiro_after_auth_filter`: a JavaScript module of the operator's, asked about every request at `/api` that
 * did not fail to log in, anonymous ones included (operations.md §1.6).
 */
import { existsSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { resolve } from 'node:path';
import type { Log } from '../observe/log.js';
import type { Refusal } from './api-handler.js';

/** What the module is told of a request; credentials are left out. */
export interface AfterAuthRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly remoteAddress: string | undefined;
}

/** The user the call goes on as, null for nobody, or the answer that ends it. */
export type AfterAuth = (
  request: IncomingMessage,
  principal: string | null,
) => Promise<string | null | Refusal>;

const FAILED: Refusal = { status: 500, headers: [], text: '' };

function described({ method, url, headers, socket }: IncomingMessage): AfterAuthRequest {
  const { authorization: _, ...others } = headers;
  return { method, url, headers: others, remoteAddress: socket.remoteAddress };
}

function functionOf(module: unknown): unknown {
  // A CommonJS module that exports a function is the default of what import() resolves to.
  const { default: exported } = module as { readonly default?: unknown };
  const inner = (exported as { readonly default?: unknown } | undefined)?.default;
  return typeof exported === 'function' ? exported : inner;
}

/**
 * Loads the module at `path`: its default export is an async function `(request, principal or null)` that
 * resolves to the principal the call goes on as, null, or the status (400 to 599) to refuse it with. What it
 * throws, and any other result, is answered with 500.
 *
 * @throws Error that says what is wrong with the module
 */
export async function loadAfterAuth(path: string, log: Log): Promise<AfterAuth> {
  const file = resolve(path);
  if (!existsSync(file)) {
    const isClass = /^[a-z]\w*(\.\w+)*\.[A-Z][\w$]*$/.test(path);
    throw new Error(
      isClass
        ? `${path} is a Java class; aurora-shim takes the path of a JavaScript module`
        : `there is no file ${file}`,
    );
  }
  const asked = functionOf(await import(file));
  if (typeof asked !== 'function') throw new Error(`${file} does not export a function`);
  return async (request, principal) => {
    try {
      const verdict = (await asked(described(request), principal)) as unknown;
      if (verdict === null) return null;
      if (typeof verdict === 'string' && verdict !== '') return verdict;
      if (Number.isInteger(verdict) && (verdict as number) >= 400 && (verdict as number) < 600) {
        return { status: verdict as number, headers: [], text: '' };
      }
      log.error({ file }, 'the filter after authentication gave neither a user, null nor a status');
    } catch (error) {
      log.error({ err: error, file }, 'the filter after authentication failed');
    }
    return FAILED;
  };
}
