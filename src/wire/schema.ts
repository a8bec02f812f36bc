/**
 * What an IDL file says, as data: the one description of the API's types that the converters, the writers
 * and the dispatcher work from (design D10). `idl.ts` makes it.
 */

/** The base types our IDL uses. The others (byte, i16, binary, uuid) are refused by the reader. */
export type BaseType = 'bool' | 'i32' | 'i64' | 'double' | 'string';

export type TypeRef =
  | { readonly kind: BaseType }
  | { readonly kind: 'enum'; readonly name: string }
  /** A struct or a union. */
  | { readonly kind: 'struct'; readonly name: string }
  | { readonly kind: 'list' | 'set'; readonly element: TypeRef }
  | { readonly kind: 'map'; readonly key: TypeRef; readonly value: TypeRef };

/** A constant: members of enums by name, sets as arrays, maps as null-prototype objects. */
export type ConstValue =
  string | number | boolean | readonly ConstValue[] | { readonly [key: string]: ConstValue };

export interface FieldSchema {
  readonly id: number;
  readonly name: string;
  readonly type: TypeRef;
  /** Members of unions and arguments of methods have the default requiredness. */
  readonly requiredness: 'default' | 'optional';
  readonly defaultValue?: ConstValue;
}

export interface StructSchema {
  readonly name: string;
  readonly kind: 'struct' | 'union';
  /** Ascending by id. */
  readonly fields: readonly FieldSchema[];
}

export interface EnumSchema {
  readonly name: string;
  readonly byName: ReadonlyMap<string, number>;
  readonly byNumber: ReadonlyMap<number, string>;
}

export interface ConstSchema {
  readonly type: TypeRef;
  readonly value: ConstValue;
}

export interface MethodSchema {
  readonly name: string;
  readonly returns: TypeRef;
  /** As declared: the order in which the stubs hand them over. */
  readonly args: readonly FieldSchema[];
}

export interface ServiceSchema {
  readonly name: string;
  readonly base?: string;
  /** Its own methods, without those of its bases. */
  readonly methods: ReadonlyMap<string, MethodSchema>;
}

export interface Schema {
  readonly enums: ReadonlyMap<string, EnumSchema>;
  readonly structs: ReadonlyMap<string, StructSchema>;
  readonly consts: ReadonlyMap<string, ConstSchema>;
  readonly services: ReadonlyMap<string, ServiceSchema>;
}

function need<T>(what: string, name: string, table: ReadonlyMap<string, T>): T {
  const found = table.get(name);
  if (found === undefined) throw new Error(`the IDL has no ${what} ${name}`);
  return found;
}

/** @throws Error for a name that the IDL does not have: a mistake in our code, not in a request. */
export function structOf(schema: Schema, name: string): StructSchema {
  return need('struct', name, schema.structs);
}

/** @throws Error for a name that the IDL does not have. */
export function enumOf(schema: Schema, name: string): EnumSchema {
  return need('enum', name, schema.enums);
}

/**
 * The methods of a service and of all it extends, by name.
 * @throws Error for a service that the IDL does not have.
 */
export function methodsOf(schema: Schema, service: string): ReadonlyMap<string, MethodSchema> {
  const all = new Map<string, MethodSchema>();
  let name: string | undefined = service;
  while (name !== undefined) {
    const declared: ServiceSchema = need('service', name, schema.services);
    for (const [method, shape] of declared.methods) if (!all.has(method)) all.set(method, shape);
    name = declared.base;
  }
  return all;
}

/** The type in the IDL's own spelling, without blanks: `map<string,i32>`. */
export function typeText(type: TypeRef): string {
  switch (type.kind) {
    case 'enum':
    case 'struct':
      return type.name;
    case 'list':
    case 'set':
      return `${type.kind}<${typeText(type.element)}>`;
    case 'map':
      return `map<${typeText(type.key)},${typeText(type.value)}>`;
    default:
      return type.kind;
  }
}
