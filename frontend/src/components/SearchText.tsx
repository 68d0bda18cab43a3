/* A text input whose value is kept elsewhere (the address) and told when typing pauses. What comes from there, as by
   "back" or "clear", is shown; what was typed meanwhile stays, and so does the focus. */
import { TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useState } from 'react';

const TYPED_MS = 300;

interface Props {
  label: string;
  value: string;
  onChange: (value: string) => void;
}

export function SearchText({ label, value, onChange }: Props) {
  const [text, setText] = useState(value);
  const [told, setTold] = useState(value);
  const [known, setKnown] = useState(value);
  if (value !== known) {
    setKnown(value);
    if (value !== told) {
      setText(value);
      setTold(value);
    }
  }
  const tell = useDebouncedCallback((typed: string) => {
    setTold(typed);
    onChange(typed);
  }, TYPED_MS);
  return (
    <TextInput
      label={label}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        tell(event.currentTarget.value);
      }}
      autoComplete="off"
    />
  );
}
