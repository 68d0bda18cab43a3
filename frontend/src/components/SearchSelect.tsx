/* One entry of a long list, found by typing: a click takes the whole text, so that typing begins a search. Whoever leaves it with a
   text that means one entry has chosen that; with any other text the field says what stays chosen. */
import { Select, type SelectProps } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { fitting, meant, type Entry } from './searched';

interface Props extends Omit<SelectProps, 'data' | 'value' | 'onChange'> {
  data: readonly Entry[];
  value: string;
  onChange: (value: string) => void;
}

export function SearchSelect({ data, value, onChange, error, ...others }: Props) {
  const { t } = useTranslation();
  const [unknown, setUnknown] = useState('');
  const known = new Map(data.map((one) => [one.value, one]));
  const chosen = known.get(value)?.label ?? '';
  const isSearch = (text: string) => text.trim() !== '' && text !== chosen;
  const leave = (text: string) => {
    if (!isSearch(text)) return;
    const found = meant(data, text);
    if (found) onChange(found.value);
    else setUnknown(text);
  };
  return (
    <Select
      {...others}
      data={data.map(({ value, label }) => ({ value, label }))}
      value={value}
      onChange={(picked) => picked !== null && onChange(picked)}
      allowDeselect={false}
      searchable
      filter={({ search }) => fitting(data, search)}
      renderOption={({ option }) => {
        const [name] = known.get(option.value)?.also ?? [];
        return (
          <span>
            {option.label}
            {name === undefined ? null : <span className="aw-sub">{name}</span>}
          </span>
        );
      }}
      selectFirstOptionOnChange
      nothingFoundMessage={t('ui.nothing_found')}
      error={error ?? (unknown && t('ui.search_unknown', { text: unknown, chosen }))}
      onSearchChange={() => setUnknown('')}
      onClick={({ currentTarget }) => {
        if (currentTarget.value === chosen) currentTarget.select();
      }}
      onBlur={({ currentTarget }) => leave(currentTarget.value)}
      onKeyDown={(event) => {
        const text = event.currentTarget.value;
        if (event.key !== 'Enter' || !isSearch(text)) return;
        event.preventDefault(); // The form must not go with what is not shown.
        if (fitting(data, text).length === 0) setUnknown(text);
      }}
    />
  );
}
