/** Reads a `.proto` file: the part of the language that `runtime.proto` uses (messages, enums, maps, services with unary calls). Pure. */
export interface ProtoFile {
  readonly package: string;
  readonly messages: ReadonlyMap<string, Message>;
  /** Enum name to value names by number. */
  readonly enums: ReadonlyMap<string, ReadonlyMap<number, string>>;
  readonly services: ReadonlyMap<string, ReadonlyMap<string, { request: string; response: string }>>;
}

export interface Message {
  readonly name: string;
  readonly fields: readonly Field[];
}

export interface Field {
  readonly number: number;
  /** In camelCase. */
  readonly name: string;
  /** A scalar, or the name of a message or enum of the same file. Of a map, the type of its values; keys are strings. */
  readonly type: string;
  readonly kind: 'single' | 'repeated' | 'map';
}

/** Throws an Error with the place where the text is not understood: the file is our own, so that is a bug. */
export function parseProto(text: string): ProtoFile {
  const tokens = text.replace(/\/\/.*$/gm, '').match(/"[^"]*"|[\w.]+|[{}=;<>,()]/g) ?? [];
  let at = 0;
  const next = () => tokens[at++] ?? '';
  const expect = (...wanted: string[]) => {
    for (const token of wanted) {
      const found = next();
      if (found !== token) throw new Error(`proto: expected ${token} before ${found} (token ${String(at)})`);
    }
  };
  const number = () => {
    expect('=');
    const value = Number(next());
    expect(';');
    return value;
  };
  const block = (one: (word: string) => void) => {
    expect('{');
    for (let word = next(); word !== '}'; word = next()) {
      if (word === '') throw new Error('proto: the text ends inside a block');
      one(word);
    }
  };
  const field = (word: string): Field => {
    if (word === 'map') {
      expect('<', 'string', ',');
      const type = next();
      expect('>');
      return { name: camel(next()), type, kind: 'map', number: number() };
    }
    const [kind, type] = word === 'repeated' ? (['repeated', next()] as const) : (['single', word] as const);
    return { name: camel(next()), type, kind, number: number() };
  };

  const file = { package: '', messages: new Map<string, Message>(), enums: new Map(), services: new Map() };
  while (at < tokens.length) {
    const word = next();
    const name = next();
    if (word === 'syntax') expect('"proto3"', ';');
    else if (word === 'package') {
      file.package = name;
      expect(';');
    } else if (word === 'message') {
      const fields: Field[] = [];
      block((first) => fields.push(field(first)));
      file.messages.set(name, { name, fields });
    } else if (word === 'enum') {
      const values = new Map<number, string>();
      block((value) => values.set(number(), value));
      file.enums.set(name, values);
    } else if (word === 'service') {
      const calls = new Map<string, { request: string; response: string }>();
      block(() => {
        const call = next();
        expect('(');
        const request = next();
        expect(')', 'returns', '(');
        calls.set(call, { request, response: next() });
        expect(')', ';');
      });
      file.services.set(name, calls);
    } else throw new Error(`proto: ${word} is not understood`);
  }
  return file;
}

function camel(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
