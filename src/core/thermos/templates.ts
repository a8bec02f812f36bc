/**
 * Mustache-like references in executor documents (thermos.md §1.4).
 *
 * `{{a.b[c]}}` is a reference, `{{&x}}` an escape that yields the literal `{{x}}`, `{{}}` plain text. No spaces
 * are allowed inside; a leading dot is and means nothing. Replacement repeats until nothing changes.
 */
import { defect } from './problem.js';

/** One step of a reference: a field name, or an index into a list or map. */
export interface Step {
  readonly kind: 'field' | 'index';
  readonly name: string;
}
export type Address = readonly Step[];

/** Where references are looked up; undefined: not here, ask the next scope. */
export type Scope = (address: Address) => string | undefined;

/** A document after defaults: every scalar as the text a reference to it yields. */
export type Node = string | readonly Node[] | NodeObject;
export interface NodeObject {
  readonly [key: string]: Node;
}

/** How much text one document may grow to while it is bound; references to references multiply. */
export interface Budget {
  chars: number;
}

const REFERENCE = /\{\{(&)?([^{}]+?)\1?\}\}/g;
const STEP = /\.?([A-Za-z_]\w*)|\[([\w\-./]+)\]/y;
const MAX_ROUNDS = 100;
const MAX_CHARS = 4 * 1024 * 1024;

export function newBudget(): Budget {
  return { chars: MAX_CHARS };
}

/** Reads `ident(.ident | [index])*`; undefined when the text is anything else. */
export function parseAddress(text: string): Address | undefined {
  const steps: Step[] = [];
  let at = 0;
  while (at < text.length) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (match === null) return undefined;
    const [whole, field, index] = match;
    if (field !== undefined) {
      if (at > 0 && !whole.startsWith('.')) return undefined;
      steps.push({ kind: 'field', name: field });
    } else {
      if (at === 0) return undefined;
      steps.push({ kind: 'index', name: index as string });
    }
    at = STEP.lastIndex;
  }
  return steps.length > 0 ? steps : undefined;
}

export function addressText(address: Address): string {
  return address
    .map(({ kind, name }, at) => (kind === 'index' ? `[${name}]` : at > 0 ? `.${name}` : name))
    .join('');
}

/** True when the text holds a reference, well-formed or not; escapes do not count. */
export function hasReferences(text: string): boolean {
  if (!text.includes('{{')) return false;
  return [...text.matchAll(REFERENCE)].some(([, escape]) => escape === undefined);
}

/** The first reference of a text, or undefined; a malformed one is a defect. */
function firstReference(text: string, path: string): Address | undefined {
  for (const [, escape, content] of text.matchAll(REFERENCE)) {
    if (escape === undefined) return readAddress(content as string, path);
  }
  return undefined;
}

function readAddress(content: string, path: string): Address {
  return parseAddress(content) ?? defect(path, `malformed reference {{${content}}}`);
}

function replaceOnce(text: string, scopes: readonly Scope[], path: string, budget: Budget): string {
  budget.chars -= text.length;
  return text.replace(REFERENCE, (whole, escape: string | undefined, content: string) => {
    if (escape !== undefined) return whole;
    const address = readAddress(content, path);
    for (const scope of scopes) {
      const value = scope(address);
      if (value === undefined) continue;
      budget.chars -= value.length;
      if (budget.chars < 0) defect(path, 'its references grow without end');
      return value;
    }
    return whole;
  });
}

/**
 * Replaces what the scopes know, first scope first, until a round changes nothing; what is left unresolved
 * then is a defect. With `partly`, unresolved references and escapes stay as they are.
 */
export function bindText(
  text: string,
  scopes: readonly Scope[],
  path: string,
  budget: Budget = newBudget(),
  partly = false,
): string {
  if (!text.includes('{{')) return text;
  let bound = text;
  for (let round = 0; ; round++) {
    if (round === MAX_ROUNDS) defect(path, 'its references never come to an end');
    const next = replaceOnce(bound, scopes, path, budget);
    if (next === bound) break;
    bound = next;
  }
  if (partly) return bound;
  const unresolved = firstReference(bound, path);
  if (unresolved !== undefined) unresolvedReference(unresolved, path);
  return bound.replace(REFERENCE, (_whole, _escape, content: string) => `{{${content}}}`);
}

function unresolvedReference(address: Address, path: string): never {
  const text = addressText(address);
  const isPort = address[0]?.name === 'thermos' && address[1]?.name === 'ports';
  defect(
    path,
    isPort
      ? `{{${text}}} names a port that is neither requested nor an alias of one`
      : `nothing resolves {{${text}}}`,
  );
}

/** Looks an address up in a document: fields of objects, elements of lists, keys of maps. */
export function nodeScope(root: Node): Scope {
  return (address) => {
    let node: Node = root;
    for (const step of address) {
      if (typeof node === 'string') return undefined;
      let next: Node | undefined;
      if (isList(node)) {
        if (step.kind !== 'index' || !/^\d+$/.test(step.name)) return undefined;
        next = node[Number(step.name)];
      } else {
        next = Object.hasOwn(node, step.name) ? node[step.name] : undefined;
      }
      if (next === undefined) return undefined;
      node = next;
    }
    return typeof node === 'string' ? node : undefined;
  };
}

/**
 * Binds every text below `node`. Inside an object its own fields come first, then those of what encloses it:
 * so `{{name}}` in a process is the process' name (thermos.md §1.4, scope order).
 */
export function bindNode(
  node: Node,
  scopes: readonly Scope[],
  path: string,
  budget: Budget,
  partly = false,
): Node {
  if (typeof node === 'string') return bindText(node, scopes, path, budget, partly);
  if (isList(node)) {
    return node.map((item, at) => bindNode(item, scopes, `${path}[${at}]`, budget, partly));
  }
  const inner = [nodeScope(node), ...scopes];
  const bound = Object.create(null) as Record<string, Node>;
  for (const [key, value] of Object.entries(node)) {
    bound[key] = bindNode(value, inner, `${path}.${key}`, budget, partly);
  }
  return bound;
}

export function isList(node: Node): node is readonly Node[] {
  return Array.isArray(node);
}
