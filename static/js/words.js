// The reader's words for what scripts say. What is looked up is English, which needs no table; the page loads the table
// of another language (words/de.js) before any module.
const TABLE = globalThis.countersignWords ?? {};

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function gettext(text, values = {}) {
  return filled(TABLE[text] ?? text, values);
}

// `one` and `many` are texts with {number}; the table holds the forms for one and for all others.
export function ngettext(one, many, number, values = {}) {
  const [single, plural] = TABLE[one] ?? [one, many];
  return filled(number === 1 ? single : plural, { number, ...values });
}
