/** Which protocol a request's Content-Type and Accept ask for (wire.md §1.2 and §1.3). */
import type { ProtocolName } from './protocol.js';

export const BINARY_TYPE = 'application/vnd.apache.thrift.binary';
export const JSON_TYPE = 'application/vnd.apache.thrift.json';

/** `unsupported` is a well-formed type that we do not read (S7), `malformed` no media type at all. */
export type RequestEncoding = ProtocolName | 'unsupported' | 'malformed';

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const MEDIA_TYPE = new RegExp(
  `^\\s*(${TOKEN}/${TOKEN})\\s*((?:;\\s*${TOKEN}\\s*=\\s*(?:${TOKEN}|"(?:[^"\\\\]|\\\\.)*")\\s*)*)$`,
);

/** What a body is encoded as, by the first Content-Type header; none means TJSON. */
export function requestEncoding(contentType: string | undefined): RequestEncoding {
  if (contentType === undefined) return 'json';
  // What the known clients send, before anything is taken apart.
  if (contentType === BINARY_TYPE) return 'binary';
  if (contentType === JSON_TYPE || contentType === 'application/x-thrift') return 'json';
  const parts = MEDIA_TYPE.exec(contentType);
  if (parts === null) return 'malformed';
  const type = parts[1]!.toLowerCase();
  const parameters = parts[2]!.replace(/\s/g, '').toLowerCase();
  switch (type) {
    case BINARY_TYPE:
      return parameters === '' ? 'binary' : 'unsupported';
    case JSON_TYPE:
      return /^(?:;charset=(?:utf-8|"utf-8"))?$/.test(parameters) ? 'json' : 'unsupported';
    case 'application/json':
    case 'application/x-thrift':
      return parameters === '' ? 'json' : 'unsupported';
    default:
      return 'unsupported';
  }
}

/** What the answer is encoded as, by the first Accept header: TBinary only for exactly its type. */
export function responseProtocol(accept: string | undefined): ProtocolName {
  if (accept === BINARY_TYPE) return 'binary';
  return accept?.trim().toLowerCase() === BINARY_TYPE ? 'binary' : 'json';
}

/** Whether Accept-Encoding asks for gzip, and not with a quality of nothing. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  if (acceptEncoding === undefined) return false;
  return /(?:^|[,\s])gzip\s*(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))(?:[;,]|$)/i.test(acceptEncoding);
}
