/**
 * Names, addresses and cities: the same in every data set, made once per process in a few dozen milliseconds. Rows
 * hold indices into them.
 */
import { faker } from "@faker-js/faker/locale/en"; // one language: all of them would take a while to load
import { CITY_COUNT, NAME_COUNT } from "./people.ts";

const SEED = 20260101;

export interface Pools {
  readonly names: readonly string[];
  /** Address of each name. */
  readonly emails: readonly string[];
  readonly cities: readonly string[];
}

let made: Pools | undefined;

export function pools(): Pools {
  made ??= make();
  return made;
}

function make(): Pools {
  faker.seed(SEED);
  const people = new Map<string, string>();
  while (people.size < NAME_COUNT) {
    const firstName = faker.person.firstName();
    const lastName = faker.person.lastName();
    const name = `${firstName} ${lastName}`;
    const email = `${firstName}.${lastName}@example.com`.toLowerCase().replaceAll(/[^a-z.@]/g, "");
    people.set(name, email);
  }
  const cities = new Set<string>();
  while (cities.size < CITY_COUNT) cities.add(faker.location.city());

  return { names: [...people.keys()], emails: [...people.values()], cities: [...cities] };
}
