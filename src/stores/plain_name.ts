/**
 * Names of partitions where not every character goes: in file systems, and between separators.
 *
 * @module
 */

/**
 * The partition's name in lower case letters, digits, `_`, `-` and `=`: as it is if it is made of
 * those, else in hexadecimal. Different partitions have different names, whether or not the other
 * end knows case. 193 characters at most.
 */
export function plainName(partition: string): string {
  if (/^[0-9a-z_-]+$/.test(partition)) return partition;
  const codes = Array.from(partition, (character) => character.charCodeAt(0));
  return `=${codes.map((code) => code.toString(16).padStart(2, "0")).join("")}`;
}
