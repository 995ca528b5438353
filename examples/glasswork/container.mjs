// As much of Glasswork's modules as the example needs: import { defineModule, bootstrap } from 'glasswork' in an application.

export const defineModule = (module) => module;

const camelCase = (name) => name[0].toLowerCase() + name.slice(1);
const nameOf = (provide) => (typeof provide === 'string' ? provide : camelCase(provide.name));

/** An object that makes each provider when it is first asked for, and gives it to the others by its name. */
export function resolve({ providers }) {
  const makers = new Map(
    providers.map((provider) =>
      typeof provider === 'function'
        ? [nameOf(provider), (container) => new provider(container)]
        : [nameOf(provider.provide), provider.useFactory],
    ),
  );
  const made = new Map();
  const container = new Proxy(
    {},
    {
      get(_, name) {
        const make = makers.get(name);
        if (make === undefined) throw new Error(`Nothing provides ${String(name)}.`);
        if (!made.has(name)) made.set(name, make(container));
        return made.get(name);
      },
    },
  );
  return container;
}
