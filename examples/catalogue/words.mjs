// What the catalogue is written with. Some of it lies outside Latin-1, as in real shops.

export const COLLECTIONS = [
  'Coastal',
  'Nordic Winter',
  'Été à Paris',
  'Größe & Form',
  '和の暮らし',
  'Летняя коллекция',
  'Trail',
  'Studio',
  'Heirloom',
  'Łódź Ceramics',
  'Ανάλαφρο',
  'Night Market',
];

export const TYPES = [
  {
    name: 'Shirt',
    options: { Size: ['XS', 'S', 'M', 'L', 'XL'], Color: ['White', 'Indigo', 'Sand'] },
    price: [25, 80],
  },
  {
    name: 'Sweatshirt',
    options: { Size: ['S', 'M', 'L', 'XL'], Color: ['Black', 'Moss', 'Écru'] },
    price: [40, 95],
  },
  { name: 'Jacket', options: { Size: ['S', 'M', 'L'], Color: ['Navy', 'Rust'] }, price: [90, 320] },
  { name: 'Mug', options: { Glaze: ['Celadon', 'Tenmoku', '青磁'] }, price: [14, 38] },
  { name: 'Teapot', options: { Volume: ['0.4 l', '0.8 l'], Glaze: ['Celadon', 'Shino'] }, price: [45, 160] },
  {
    name: 'Notebook',
    options: { Ruling: ['Plain', 'Dotted', 'Lined'], Cover: ['Kraft', 'Linen'] },
    price: [8, 24],
  },
  { name: 'Backpack', options: { Volume: ['18 l', '26 l'], Color: ['Olive', 'Graphite'] }, price: [70, 210] },
  {
    name: 'Blanket',
    options: { Size: ['130 × 180 cm', '180 × 220 cm'], Color: ['Natural', 'Fjord'] },
    price: [60, 240],
  },
];

export const ADJECTIVES = [
  'Everyday',
  'Brushed',
  'Heavyweight',
  'Hand-thrown',
  'Recycled',
  'Stonewashed',
  'Featherlight',
  'Waxed',
  'Relaxed',
  'Quilted',
  'Undyed',
  'Ribbed',
  'Foldable',
  'Glazed',
  'Patchwork',
  'Insulated',
];

export const MATERIALS = [
  'organic cotton',
  'merino wool',
  'linen',
  'stoneware',
  'recycled polyester',
  'hemp',
  'porcelain',
  'waxed canvas',
  'oak',
  'alpaca',
  'washi 和紙',
  'Schurwolle',
];

export const SENTENCES = [
  'Made in small runs by a family workshop and finished by hand.',
  'Cut generously, so that it can be worn over a sweater on the first cold mornings.',
  'The surface varies from piece to piece: no two leave the kiln alike.',
  'Washed before it is sewn; it will not shrink on you.',
  'Conçu pour durer : chaque couture est doublée et vérifiée.',
  'Pflegeleicht bei 30 °C, bitte nicht in den Trockner geben.',
  '一点一点手作業で仕上げています。',
  'Ships without plastic, in a box that can be sent back.',
  'Pockets sit where hands look for them, and close with a horn button.',
  'Подходит для ежедневного использования.',
  'The dye is plant-based and softens with the years.',
  'Part of the price goes to repairs: send it in, whatever its age.',
];

export const TAGS = [
  'new',
  'sale',
  'gift',
  'bestseller',
  'organic',
  'limited',
  'handmade',
  'winter',
  'summer',
  'outdoor',
  'kitchen',
  'office',
  'unisex',
  'restocked',
];

/** Currency, and what a euro is in it, for prices that differ as real ones do. */
export const CURRENCIES = { eur: 1, usd: 1.1, gbp: 0.86, jpy: 162, pln: 4.3 };
