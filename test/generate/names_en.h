/*
 * names_en.h: names of people in the United States and in Britain, as the
 * generator of contacts draws them: the commonest of each list first.
 *
 * Given names: Name[/familiar forms,...]. All typed for this file.
 */

static const char en_male[] =
	"James/Jim,Jimmy,Jamie John/Jack,Johnny,Jon Robert/Bob,Rob,Bobby,Robbie Michael/Mike,Mick,Mikey "
	"William/Bill,Will,Billy,Liam David/Dave,Davey Richard/Rick,Dick,Rich Joseph/Joe,Joey "
	"Thomas/Tom,Tommy Charles/Charlie,Chuck,Chas Christopher/Chris,Kit,Topher Daniel/Dan,Danny "
	"Matthew/Matt Anthony/Tony Mark Donald/Don,Donnie Steven/Steve,Stevie Paul Andrew/Andy,Drew "
	"Joshua/Josh Kenneth/Ken,Kenny Kevin/Kev Brian George Timothy/Tim,Timmy Ronald/Ron,Ronnie Edward/Ed,Ted,Eddie,Ned "
	"Jason/Jay Jeffrey/Jeff Ryan Jacob/Jake Gary Nicholas/Nick,Nicky Eric/Rick Jonathan/Jon,Jonny "
	"Stephen/Steve Larry Justin Scott Brandon Benjamin/Ben,Benny,Benji Samuel/Sam,Sammy "
	"Gregory/Greg Alexander/Alex,Al,Sandy,Xander Patrick/Pat,Paddy Frank/Frankie Raymond/Ray Jack Dennis/Den "
	"Jerry Tyler/Ty Aaron Jose/Pepe Adam Nathan/Nate Henry/Harry,Hank,Hal Zachary/Zach,Zack Douglas/Doug "
	"Peter/Pete Kyle Noah Ethan Jeremy/Jez Christian Walter/Walt,Wally Keith Austin Roger Terry Sean "
	"Gerald/Gerry Carl Dylan Harold/Harry,Hal Jordan Jesse Bryan Lawrence/Larry,Laurie Arthur/Art,Archie Gabriel/Gabe Bruce "
	"Logan Billy Joe Alan/Al Juan Elijah/Eli Willie Albert/Bert,Al Wayne Randy Mason Vincent/Vince Liam Roy "
	"Bobby Caleb Bradley/Brad Russell/Russ Lucas/Luke Philip/Phil Eugene/Gene Ralph Howard/Howie Fred/Freddie "
	"Frederick/Fred,Freddie Victor/Vic Martin/Marty Stanley/Stan Leonard/Len,Lenny Nathaniel/Nat,Nate Craig Curtis Derek "
	"Geoffrey/Geoff Graham Ian Colin Nigel Neil Simon/Si Stuart/Stu Clive Trevor/Trev Duncan Alistair/Al "
	"Malcolm Gordon Kieran Declan Callum Rhys Gareth Hugh/Hughie Rupert Oliver/Ollie,Oli Sebastian/Seb,Bas "
	"Dominic/Dom Theodore/Ted,Theo Maximilian/Max Miles Oscar Felix Julian/Jules Adrian/Ade Marcus/Marc Maurice "
	"Clifford/Cliff Ernest/Ernie Herbert/Herb,Bert Leslie/Les Norman/Norm Sidney/Sid Reginald/Reg,Reggie "
	"Calvin/Cal Warren Wesley/Wes Mitchell/Mitch Luis Carlos Miguel Antonio/Tony";

static const char en_female[] =
	"Mary/Molly,Polly,Mae Patricia/Pat,Patty,Trish,Tricia Jennifer/Jen,Jenny,Jenn Linda/Lindy "
	"Elizabeth/Liz,Beth,Betty,Lizzie,Eliza,Betsy Barbara/Barb,Babs Susan/Sue,Susie Jessica/Jess,Jessie Sarah/Sally,Sadie "
	"Karen Lisa Nancy/Nan Betty Sandra/Sandy Margaret/Maggie,Peggy,Meg,Marge Ashley/Ash Kimberly/Kim "
	"Emily/Em,Emmy Donna Michelle/Shelly Carol Amanda/Mandy Melissa/Mel,Missy Deborah/Deb,Debbie "
	"Stephanie/Steph Dorothy/Dot,Dottie,Dolly Rebecca/Becky,Becca Sharon/Shaz Laura/Laurie Cynthia/Cindy Amy "
	"Kathleen/Kathy,Kath Angela/Angie Shirley Brenda Emma/Em Anna/Annie Pamela/Pam Nicole/Nicky,Nikki "
	"Samantha/Sam Katherine/Kate,Kathy,Katie,Kitty Christine/Chris,Chrissie,Tina Helen/Nell Debra/Deb Rachel/Rach "
	"Carolyn/Carrie,Lyn Janet/Jan Maria Catherine/Cathy,Kate,Cath Heather Diane/Di Olivia/Liv,Livvy Julie/Jules Joyce/Joy "
	"Victoria/Vicky,Tori Ruth/Ruthie Virginia/Ginny Lauren/Loz Kelly Christina/Tina,Chris Joan/Joanie Evelyn/Evie "
	"Judith/Judy Andrea/Andi Hannah Megan/Meg Cheryl Jacqueline/Jackie Martha/Marty,Patty Madison/Maddie Teresa/Terry,Tess "
	"Gloria Sara Janice/Jan Ann/Annie Kathryn/Kathy,Kate Abigail/Abby,Gail Sophia/Sophie Frances/Fran,Franny,Fanny Jean "
	"Alice/Ally Judy Isabella/Bella,Izzy Julia/Jules Grace/Gracie Amber Denise Danielle/Dani Marilyn Beverly/Bev Charlotte/Lottie,Charlie "
	"Natalie/Nat Theresa/Terri Diana/Di Brittany/Britt Doris Kayla Alexis/Lexi Lori Marie Eleanor/Ellie,Nell,Nora "
	"Gillian/Gill,Jill Joanne/Jo Nicola/Nicky Alison/Ali Fiona Claire Tracey/Trace Philippa/Pippa Harriet/Hattie,Harry "
	"Imogen/Immy Georgina/George,Georgie Penelope/Penny Rosemary/Rosie,Rose Sylvia/Syl Hilary Maureen/Mo Sheila "
	"Beatrice/Bea Constance/Connie Edith/Edie Florence/Flo,Florrie Josephine/Jo,Josie Matilda/Tilly Winifred/Win,Freddie "
	"Agnes/Aggie Adelaide/Addie Caroline/Carrie,Caro Vivian/Viv Veronica/Ronnie Valerie/Val Yvonne Wendy Zoe Tabitha/Tabby "
	"Rosalind/Ros Miranda/Mandy Lucinda/Lucy,Cindy Leah Jasmine/Jaz Isobel/Izzy Ingrid Gwendolyn/Gwen Freya Erin Daphne "
	"Cecilia/Cece,Celia Bridget/Biddy Arabella/Bella Antonia/Toni Alexandra/Alex,Sandra,Lexi Guadalupe/Lupe Carmen";

static const char en_family[] =
	"Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez "
	"Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark "
	"Ramirez Lewis Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams "
	"Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker "
	"Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper "
	"Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez Wood James "
	"Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel Myers Long Ross Foster Jimenez "
	"Powell Jenkins Perry Russell Sullivan Bell Coleman Butler Henderson Barnes Fisher Vasquez Simmons "
	"Romero Jordan Patterson Alexander Hamilton Graham Reynolds Griffin Wallace Moreno West Cole Hayes "
	"Bryant Herrera Gibson Ellis Tran Medina Aguilar Stevens Murray Ford Castro Marshall Owens Harrison "
	"Fernandez McDonald Woods Washington Kennedy Wells Vargas Henry Chen Freeman Webb Tucker Guzman Burns "
	"Crawford Olson Simpson Porter Hunter Gordon Mendez Silva Shaw Snyder Mason Dixon Munoz Hunt Hicks "
	"Holmes Palmer Wagner Black Robertson Boyd Rose Stone Salazar Fox Warren Mills Meyer Rice Schmidt "
	"Garza Daniels Ferguson Nichols Stephens Soto Weaver Ryan Gardner Payne Grant Dunn Kelley Spencer "
	"Hawkins Arnold Pierce Hansen Peters Santos Hart Bradley Knight Elliott Cunningham Duncan Armstrong "
	"Hudson Carroll Lane Riley Andrews Alvarado Ray Delgado Berry Perkins Hoffman Johnston Matthews Pena "
	"Richards Contreras Willis Carpenter Lawrence Sandoval Guerrero George Chapman Rios Estrada Ortega "
	"Watkins Greene Nunez Wheeler Valdez Harper Burke Larson Santiago Maldonado Morrison Franklin Carlson "
	"Austin Dominguez Carr Lawson Jacobs Obrien Lynch Singh Vega Bishop Montgomery Oliver Jensen Harvey "
	"Williamson Gilbert Dean Sims Espinoza Howell Li Wong Reid Hanson Le McCoy Garrett Burton Fuller Wang "
	"Weber Welch Rojas Lucas Marquez Fields Park Yang Little Banks Padilla Day Walsh Bowman Schultz Luna "
	"Fowler Mejia Davidson Acosta Brewer May Holland Juarez Newman Pearson Curtis Cortez Douglas Schneider "
	"Joseph Barrett Navarro Figueroa Keller Avila Wade Molina Stanley Hopkins Campos Barnett Bates Chambers "
	"Caldwell Beck Lambert Miranda Byrd Craig Ayala Lowe Frazier Powers Neal Leonard Gregory Carrillo Sutton "
	"Fleming Rhodes Shelton Schwartz Norris Jennings Rowe Steele Walters Chandler Bush Mann Fletcher Hodges "
	"Clarke Hussain Khan Begum Ahmed Ali Kaur Mehta Shah Sharma Gupta Desai Okafor Adeyemi Mensah Kowalski "
	"Nowak Novak OConnor ONeill OSullivan Doherty Gallagher Byrne Farrell Nolan Brennan Quinn Daly "
	"Kavanagh MacLeod MacDonald Mackenzie Sinclair Buchanan Cameron Drummond Fraser Forbes Gillespie Innes "
	"Kerr Lennox Lindsay Logan Maxwell McIntyre McKay McLean Menzies Munro Ogilvie Ramsay Rutherford Sutherland "
	"Urquhart Davies Griffiths Gwynne Llewellyn Lloyd Maddox Meredith Owen Parry Pritchard Probert Pugh Rees "
	"Rhys Vaughan Barlow Bentley Birch Booth Bradshaw Briggs Brook Burgess Butcher Calvert Chadwick Clayton "
	"Connolly Coates Crossley Dawson Denton Dyson Eastwood Entwistle Fairclough Farrow Fielding Firth Gibbons "
	"Goddard Goodwin Gould Greenwood Haigh Hargreaves Hartley Heaton Higgins Hinchcliffe Holden Holt Horsfall "
	"Ibbotson Iqbal Jarvis Kay Kemp Kershaw Lees Lister Lomax Lumb Mallinson Marsden Mellor Metcalfe Midgley "
	"Naylor Nightingale Oldfield Ormerod Parkin Pickering Pilkington Pollard Priestley Ramsden Rawlinson "
	"Redfern Rigby Rushton Sagar Schofield Sheard Shepherd Skinner Slater Stead Sugden Sykes Tattersall Thackray "
	"Thorpe Tordoff Townsend Tyler Varley Wadsworth Whitaker Whitehead Wilkinson Winter Womersley Woodhouse "
	"Wrigley Yates Zimmerman Abbott Atkinson Baldwin Barker Baxter Benson Blair Bond Bowen Boyle Brady Bridges";

/* Rarer surnames are made of two: Ash + ford. */
static const char en_stem[] =
	"Ash Alder Apple Bar Barn Beck Ben Birch Black Bland Blythe Bourn Brad Bram Bran Brom Buck Burl Cald "
	"Carl Chat Chester Clay Clif Col Cran Crom Dal Dar Den Dod Dray Dun East Edge Ell Elm Ever Fair Farn "
	"Fen Fern Flax Gal Gold Grim Had Hal Ham Hart Hather Hazel Heath Hemp High Hol Horn Huck Kel Ken King "
	"Lang Lark Led Lind Lock Long Lud Mal Mar Mel Mer Mid Mil Mor Nor North Oak Od Old Orm Os Pem Pen "
	"Pick Pres Quar Rad Red Rim Rock Rush Sea Sel Shel Sher Silver Som South Stam Stan Stock Strat Sun "
	"Swan Tan Thorn Tip Up Wake Wal War West Wethers Whit Wick Wil Win Wolver Wood Wy Yar";
static const char en_ending[] =
	"ford ton ham well wood field worth ley bury brook bridge by combe cote croft dale den don ell er "
	"gate grave hurst land ling man mere more ridge shaw stead thorpe wick";
