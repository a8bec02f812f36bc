/**
 * Calls as gorealis makes them in its default encoding, by the Thrift library's own TJSON and the generated
 * stubs; with what gorealis reads from the answers.
 */
import * as AuroraAdmin from '#thrift/AuroraAdmin';
import * as api from '#thrift/aurora_types';
import { callFromPage } from './browser-client';
import { missing } from './unguarded';

const HEADERS = { 'Content-Type': 'application/x-thrift', 'User-Agent': 'gorealis v2.29.0' };

/** The stubs take plain objects; their types want every member. */
export const a = <T>(Type: new (members: T) => T, members: object): T => new Type(members as T);

export interface GoClient {
  call(method: string, ...args: readonly unknown[]): Promise<api.Response>;
  /** Wants OK, no message, and the one member of the result with everything at these paths (or no result). */
  ok(
    method: string,
    args: readonly unknown[],
    member?: keyof api.Result,
    reads?: readonly string[],
  ): Promise<api.Result>;
}

export function goClient(url: () => string): GoClient {
  const call: GoClient['call'] = (method, ...args) =>
    callFromPage({ url: url(), headers: HEADERS }, AuroraAdmin, method, args);
  const ok: GoClient['ok'] = async (method, args, member, reads = []) => {
    const { responseCode, details, result } = await call(method, ...args);
    expect([method, responseCode, details]).toEqual([method, api.ResponseCode.OK, []]);
    const members = Object.entries(result ?? {}).flatMap(([name, value]) =>
      value == null ? [] : [name],
    );
    expect([method, members]).toEqual([method, member === undefined ? [] : [member]]);
    const paths = reads.map((path) => `${member}.${path}`);
    expect([method, missing(result, paths)]).toEqual([method, []]);
    return result!;
  };
  return { call, ok };
}
