/**
 * Calls as a page makes them: the Thrift library's own client for browsers (XHR and TJSON) over the
 * generated stubs, with a stand-in for XMLHttpRequest. Nothing of our codec is in here.
 */
import type { Response as ApiResponse } from '#thrift/aurora_types';
import type { EventEmitter } from 'node:events';

interface XhrConnection extends EventEmitter {
  getXmlHttpRequestObject(): object;
}

/** The library has no types for this half of it. */
interface BrowserThrift {
  createXHRConnection(host: string, port: number, options: object): XhrConnection;
  createXHRClient(service: object, connection: XhrConnection): Record<string, Method>;
}

type Method = (...args: readonly unknown[]) => Promise<ApiResponse>;

// eslint-disable-next-line @typescript-eslint/no-require-imports
const thrift = require('thrift/lib/nodejs/lib/thrift/browser') as BrowserThrift;

export interface Page {
  readonly url: string;
  /** In addition to what a browser sends by itself. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Makes one call.
 * @throws Error when anything but a decodable reply with status 200 comes: a page would load for ever
 */
export async function callFromPage(
  page: Page,
  service: object,
  method: string,
  args: readonly unknown[],
): Promise<ApiResponse> {
  const { hostname, port } = new URL(page.url);
  const options = { path: '/api', headers: page.headers };
  const connection = thrift.createXHRConnection(hostname, Number(port), options);
  return new Promise((resolve, reject) => {
    connection.on('error', reject);
    connection.getXmlHttpRequestObject = () => new FetchRequest(reject);
    const client = thrift.createXHRClient(service, connection);
    client[method]!(...args).then(resolve, reject);
  });
}

/** As much of XMLHttpRequest as the library uses. */
class FetchRequest {
  readyState = 0;
  status = 0;
  responseText = '';
  onreadystatechange: (() => void) | undefined;
  private method = '';
  private url = '';
  private readonly headers: Record<string, string> = {};

  constructor(private readonly fail: (error: unknown) => void) {}

  overrideMimeType(): void {}

  open(method: string, url: string): void {
    Object.assign(this, { method, url });
  }

  setRequestHeader(name: string, value: string): void {
    this.headers[name] = value;
  }

  send(body: Buffer): void {
    this.exchange(body).catch(this.fail);
  }

  private async exchange(body: Buffer): Promise<void> {
    const { method, headers } = this;
    const response = await fetch(this.url, { method, headers, body: new Uint8Array(body) });
    this.responseText = await response.text();
    this.status = response.status;
    if (this.status !== 200) throw new Error(`HTTP status ${this.status}`);
    this.readyState = 4;
    this.onreadystatechange?.();
  }
}
